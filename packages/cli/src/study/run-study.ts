import { basename } from "node:path";
import { LoadError, type RunReport, type StudyRun, type StudyStep } from "@tokenstorm/core";
import { conductRun } from "../conduct-run.js";
import { EXIT, endedByThreshold, errorExitCode, runExitCode } from "../exit-codes.js";
import { onInterrupt } from "../interrupt.js";
import { createViewer, type UiKind } from "../live/viewer.js";
import type { NatsAccess } from "../nats-options.js";
import { keepReport } from "../run-outcome.js";
import type { Terminal } from "../terminal.js";
import { holdDataSets, readRunFiles } from "./hold-data-sets.js";
import { createRunStages, type RunStages } from "./run-stages.js";
import type { StudyDirectory } from "./study-directory.js";
import { createStudyHooks, type StudyHooks } from "./study-hooks.js";
import { runLine, startLine } from "./study-lines.js";

export interface RunStudyOptions {
  readonly steps: readonly StudyStep[];
  readonly directory: StudyDirectory;
  /** Folder of the study file. */
  readonly folder: string;
  readonly access: NatsAccess | undefined;
  readonly processes: number | "auto" | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly terminal: Terminal;
  readonly ui: UiKind;
  readonly strict: boolean;
}

/** How a study went, as far as it went. */
export interface StudyEnd {
  /** Somebody asked it to stop. */
  readonly stopped: boolean;
  /** Exit codes of the runs that are done. */
  readonly codes: readonly number[];
  /** What it could not go on past. */
  readonly error: LoadError | null;
}

/**
 * Carries a schedule out, step by step; every run goes the way of `tokenstorm run`. What was done is in the journal
 * whenever this ends, however it ends. Throws only what is a bug.
 */
export async function runStudy(options: RunStudyOptions): Promise<StudyEnd> {
  const { steps, directory, terminal } = options;
  const stopping = new AbortController();
  const interrupts = onInterrupt((count) => {
    if (count === 1) terminal.say("the study stops after what is under way");
    stopping.abort();
  });
  const say = (text: string) => terminal.say(text);
  const { folder, env, access, processes } = options;
  const shared = { env, signal: stopping.signal, onNote: say };
  const hooks = createStudyHooks({ directory: directory.path, folder, ...shared });
  const stages = createRunStages({ access, processes, out: directory.runs, ...shared });
  const codes: number[] = [];
  const total = steps.filter(({ kind }) => kind === "run").length;
  let number = 0;
  try {
    for (const step of steps) {
      if (stopping.signal.aborted) return { stopped: true, codes, error: null };
      if (step.kind === "run") number += 1;
      say(startLine(step, { number, total }));
      const code = await carryOut(step, { ...options, hooks, stages, signal: stopping.signal });
      if (code === "stopped") return { stopped: true, codes, error: null };
      if (step.kind === "run") codes.push(code);
    }
    return { stopped: false, codes, error: null };
  } catch (error) {
    if (!(error instanceof LoadError)) throw error;
    return { stopped: stopping.signal.aborted, codes, error };
  } finally {
    await stages.close();
    await hooks.close();
    interrupts.close();
  }
}

interface World extends RunStudyOptions {
  readonly hooks: StudyHooks;
  readonly stages: RunStages;
  /** Somebody asked the study to stop. */
  readonly signal: AbortSignal;
}

async function carryOut(step: StudyStep, world: World): Promise<number | "stopped"> {
  switch (step.kind) {
    case "switch":
      await world.hooks.switch(step);
      return 0;
    case "health":
      await world.hooks.health(step);
      return 0;
    case "warm-up":
      return warmUp(step.run, world);
    case "run":
      return measured(step.run, world);
  }
}

async function warmUp(run: StudyRun, world: World): Promise<number | "stopped"> {
  const done = await oneRun(run, world);
  return done === "stopped" ? done : 0;
}

async function measured(run: StudyRun, world: World): Promise<number | "stopped"> {
  const { directory, terminal } = world;
  await directory.append({ kind: "begun", key: run.key });
  try {
    const done = await oneRun(run, world);
    if (done === "stopped") {
      await directory.append({ kind: "left", key: run.key, why: "stopped" });
      return done;
    }
    await directory.append({ kind: "done", key: run.key, run: done.id, directory: done.directory });
    terminal.say(runLine(run, done.report));
    return done.code;
  } catch (error) {
    if (!(error instanceof LoadError)) throw error;
    // Where the disk is full even this cannot be written: the first error is the one to tell.
    await directory.append({ kind: "left", key: run.key, why: error.message }).catch(() => undefined);
    throw error;
  }
}

/** A run as it is kept. */
interface DoneRun {
  readonly id: string;
  readonly directory: string;
  readonly report: RunReport;
  readonly code: number;
}

/** Submits a plan and follows it to its end, as `tokenstorm run` does. Throws what ended it before its time. */
async function oneRun(run: StudyRun, world: World): Promise<DoneRun | "stopped"> {
  const { hooks, stages, terminal, directory, strict } = world;
  const ready = await stages.stageFor(run.plan);
  const { stage } = ready;
  const { plan, files } = await readRunFiles(ready.plan, world.folder);
  await holdDataSets(directory, plan);
  if (world.signal.aborted) return "stopped";
  const viewer = createViewer(world.ui, terminal);
  const conducted = await conductRun(stage.cluster, {
    plan,
    files,
    broken: stage.broken,
    onSubmitted: (id) => {
      const url = stage.cluster.transport.server?.url;
      if (world.ui === "none" || url === undefined) return;
      viewer.note(`run ${id} begins; from another terminal: tokenstorm tail ${id} --nats ${url}`);
    },
    onUpdate: (update) => viewer.update(update),
    onNote: (text) => viewer.note(text),
  }).finally(() => viewer.close());
  const { record, report } = conducted;
  if (record === null || (record.state === "aborted" && !endedByThreshold(record))) return "stopped";
  const serving = hooks.serving();
  if (serving !== undefined && !serving.isRunning()) {
    const how = (await serving.ended) ?? "ended";
    throw new LoadError(
      "RUN_ABORTED",
      `the command ${serving.text} ${how} during the run: it is not counted`,
    );
  }
  if (record.state === "failed" || report === null) {
    const { code, message, hint } = record.problem ?? {
      code: "RESULTS_UNREADABLE" as const,
      message: "the coordinator left no report",
    };
    throw new LoadError(code, `run ${record.id} (${run.key}) failed: ${message}`, { hint });
  }
  const name = basename(record.result?.directory ?? record.id);
  if (stage.place.kind === "nats") await keepReport(name, report, { out: directory.runs, terminal });
  const code = runExitCode(
    { state: record.state, started: true, problem: record.problem, report },
    { strict },
  );
  return { id: record.id, directory: name, report, code };
}

/** The first that applies, over all runs: an error, stopped, invalid, thresholds. */
export function studyExitCode({ stopped, codes, error }: StudyEnd): number {
  if (stopped) return EXIT.stopped;
  if (error !== null) return errorExitCode(error.code);
  return codes.reduce((worst, code) => (SEVERITY.indexOf(code) > SEVERITY.indexOf(worst) ? code : worst), 0);
}

/** Exit codes of runs, the mildest first. */
const SEVERITY: readonly number[] = [
  EXIT.ok,
  EXIT.inconclusive,
  EXIT.thresholdsFailed,
  EXIT.resultInvalid,
  EXIT.error,
];
