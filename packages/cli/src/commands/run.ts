import {
  assert,
  checkFlag,
  planFromFlags,
  RUN_FLAGS,
  type RunFlagName,
  type RunFlagValues,
} from "@tokenstorm/core";
import type { DataSetFiles } from "@tokenstorm/protocol";
import { type Command, InvalidArgumentError, Option } from "commander";
import { conductRun } from "../conduct-run.js";
import type { CommandContext } from "../context.js";
import { EXIT } from "../exit-codes.js";
import { onInterrupt } from "../interrupt.js";
import { createViewer, UI_KINDS, type UiKind, type Viewer } from "../live/viewer.js";
import { addNatsFlags, type NatsFlags, natsAccess } from "../nats-options.js";
import { oneOf, processCount } from "../parse-arguments.js";
import { checkPlan, readPlanFile } from "../plan-file.js";
import { flagsFromPlanFolder, type PlanWithFiles, readPlanFiles } from "../plan-files.js";
import { DEFAULT_OUT, makeOutFolder } from "../run-directory.js";
import { openLocalStage, openNatsStage, type RunStage } from "../run-stage.js";

interface RunCommandFlags extends NatsFlags, RunFlagValues {
  readonly target?: readonly string[];
  readonly processes?: number | "auto";
  readonly out: string;
  readonly ui: UiKind;
  readonly json?: boolean;
  readonly strict?: boolean;
  readonly prove?: boolean;
  readonly printPlan?: boolean;
}

export function addRun(program: Command, context: CommandContext): void {
  const command = program
    .command("run")
    .description("run a plan, show it live, print its report")
    .argument("[plan]", "YAML or JSON file; - is stdin. Flags win over what stands in it");
  addPlanFlags(command);
  addNatsFlags(
    command.option("--processes <n|auto>", "agent processes on this machine, without --nats", processCount),
  )
    .option("--out <dir>", "folder of the run directories", DEFAULT_OUT)
    .option("--ui <kind>", `live view: ${UI_KINDS.join(", ")}`, oneOf(UI_KINDS), "auto")
    .option("--json", "the report as JSON on stdout")
    .option("--strict", "a degraded result is as bad as an invalid one: exit code 110")
    .option(
      "--prove",
      "then run the last level once more with twice the agent processes, and show what differs; without --nats",
    )
    .option("--print-plan", "print the plan that the flags make, and end")
    .action((path: string | undefined, flags: RunCommandFlags) =>
      context.finish(run(path, flags, { command, context })),
    );
}

/** Every flag that is a key of the plan, from core's table. */
export function addPlanFlags(command: Command): void {
  command.option("--target <url>", "server to load, without /v1 (may be repeated)", collect);
  for (const flag of RUN_FLAGS) addPlanFlag(command, flag.name);
}

export function addPlanFlag(command: Command, name: RunFlagName): void {
  const flag = RUN_FLAGS.find((one) => one.name === name);
  assert(flag !== undefined, `no flag ${name}`);
  const words = flag.placeholder === null ? flag.flag : `${flag.flag} ${flag.placeholder}`;
  const option = new Option(words, flag.help);
  if (flag.kind === "list" || flag.kind === "pair") option.argParser(collect);
  else if (flag.kind !== "switch") {
    option.argParser((text: string) => {
      const problem = checkFlag(flag, text);
      if (problem === undefined) return text;
      throw new InvalidArgumentError(`${problem}.`);
    });
  }
  command.addOption(option);
}

const collect = (text: string, before: readonly string[] = []): readonly string[] => [...before, text];

interface World {
  readonly command: Command;
  readonly context: CommandContext;
}

async function run(path: string | undefined, flags: RunCommandFlags, world: World): Promise<number> {
  const { command, context } = world;
  if (path === undefined && flags.target === undefined) {
    command.error("error: there is nothing to run: name a plan file, or give --target URL", { exitCode: 2 });
  }
  const written = path === undefined ? undefined : await readPlanFile(path);
  const draft = planFromFlags(flags.target, flagsFromPlanFolder(flags, path), written);
  const plan = checkPlan(draft);
  if (flags.printPlan === true) {
    const { stringify } = await import("yaml");
    await context.terminal.print(stringify(draft).trimEnd());
    return EXIT.ok;
  }
  return carryOut(await readPlanFiles(plan, path), flags, world);
}

async function carryOut(
  { plan, files }: PlanWithFiles,
  flags: RunCommandFlags,
  { command, context }: World,
): Promise<number> {
  const { terminal, env } = context;
  const access =
    flags.processes !== undefined && flags.nats === undefined ? undefined : natsAccess(flags, env);
  if (access !== undefined && flags.processes !== undefined) {
    command.error("error: --processes is for a run without --nats: there the agents are where they are", {
      exitCode: 2,
    });
  }
  if (access !== undefined && flags.prove === true) {
    command.error(
      "error: --prove is for a run without --nats: it starts twice the agent processes itself, and agents elsewhere it cannot double",
      { exitCode: 2 },
    );
  }
  await makeOutFolder(flags.out);
  const viewer = createViewer(flags.ui, terminal);
  let stage: RunStage | undefined;
  try {
    const open = (signal: AbortSignal) =>
      access === undefined
        ? openLocalStage(plan, { ...flags, env, signal, onNote: (text) => viewer.note(text) })
        : openNatsStage(plan, access);
    stage = await openUnlessInterrupted(open, viewer);
    if (stage === undefined) return EXIT.stopped;
    if (stage.firstLine !== null) terminal.say(stage.firstLine);
    const conduct = (on: RunStage) => conductOn(on, { viewer, ui: flags.ui, files });
    let conducted = await conduct(stage);
    if (flags.prove === true) {
      const { processes } = stage;
      const { proveClient } = await import("../prove-client.js");
      conducted = await proveClient({
        conducted,
        processes,
        onNote: (text) => viewer.note(text),
        runWith: async (again, doubled) => {
          // Both at once would share the machine.
          await stage?.close();
          const options = { ...flags, env, processes: doubled, onNote: (text: string) => viewer.note(text) };
          const second = await openUnlessInterrupted(
            (signal) => openLocalStage(again, { ...options, signal }),
            viewer,
          );
          try {
            return second === undefined ? undefined : await conduct(second);
          } finally {
            await second?.close();
          }
        },
      });
    }
    viewer.close();
    // Loaded where it is wanted, as is all that the run can begin without.
    const { showOutcome } = await import("../run-outcome.js");
    const { json = false, strict = false, out } = flags;
    return await showOutcome(conducted, { terminal, json, strict, out, place: stage.place });
  } finally {
    viewer.close();
    await stage?.close();
    if (stage !== undefined && stage.lastLine !== null) terminal.say(stage.lastLine);
  }
}

function conductOn(
  stage: RunStage,
  { viewer, ui, files }: { readonly viewer: Viewer; readonly ui: UiKind; readonly files: DataSetFiles },
) {
  const url = stage.cluster.transport.server?.url;
  return conductRun(stage.cluster, {
    plan: stage.plan,
    files,
    broken: stage.broken,
    onSubmitted: (id) => {
      if (ui === "none" || url === undefined) return;
      viewer.note(`run ${id} begins; from another terminal: tokenstorm tail ${id} --nats ${url}`);
    },
    onUpdate: (update) => viewer.update(update),
    onNote: (text) => viewer.note(text),
  });
}

/** Ctrl-C while things are being started: what has started is ended, and there is no run. */
async function openUnlessInterrupted(
  open: (signal: AbortSignal) => Promise<RunStage>,
  viewer: Viewer,
): Promise<RunStage | undefined> {
  const aborting = new AbortController();
  const interrupts = onInterrupt((count) => {
    if (count === 1) viewer.note("ending");
    else process.exit(EXIT.stopped);
    aborting.abort();
  });
  try {
    const stage = await open(aborting.signal);
    if (!aborting.signal.aborted) return stage;
    await stage.close();
    return undefined;
  } catch (error) {
    if (aborting.signal.aborted) return undefined;
    throw error;
  } finally {
    interrupts.close();
  }
}
