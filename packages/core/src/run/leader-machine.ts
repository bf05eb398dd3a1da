import { agentTroubles } from "./agent-checks.js";
import { beginDrain, deliver, drain } from "./leader-end.js";
import { goesOnWithout, moveNote, nobodyLeft, noteLosses, noteOf } from "./leader-loss.js";
import { restored, resumed } from "./leader-resume.js";
import { arm, committed, gather, lateProblem, prepare, probe, probed } from "./leader-start.js";
import {
  initialLeaderState,
  type LeaderConfig,
  type LeaderEffect,
  type LeaderEvent,
  type LeaderState,
  type Transition,
} from "./leader-state.js";
import { endEarly, finish, keep, withProblem, write } from "./leader-transition.js";
import { stopProblem, strongerStop } from "./record-change.js";
import type { Problem, RunRecord } from "./run-record.js";
import { movesOf } from "./shard-map.js";
import { endedEarly, nextStages, runningProblem } from "./stage-progress.js";

type Event<Kind extends LeaderEvent["kind"]> = Extract<LeaderEvent, { kind: Kind }>;

/** Takes the lead of a submitted run. */
export function beginLeading(record: RunRecord, config: LeaderConfig, nowUs: number): Transition {
  const state = initialLeaderState(record, config, nowUs);
  if (record.stop.level !== "none") return endEarly(state, stopProblem(record.stop));
  const { term, leader } = config;
  return write(state, { name: "gather", fields: { state: "gathering", term, leader } });
}

/**
 * The leader of one run: what becomes of its state, and what is to be done, for everything that can happen. Pure; the
 * coordinator carries the effects out and looks again after each event.
 */
export function leadRun(state: LeaderState, event: LeaderEvent): Transition {
  switch (event.kind) {
    case "look":
      return look(state, event);
    case "restored":
      return restored(state, event);
    case "probed":
      return state.step.kind === "probing" && state.step.then === "resume"
        ? resumed(state, event)
        : probed(state, event);
    case "scraped":
      return scraped(state, event);
    case "written":
      return written(state, event);
    case "late":
      return state.step.kind === "arming" ? endEarly(state, lateProblem()) : keep(state);
    case "stopped":
      return stopped(state, event);
    case "troubled":
      return fail(
        { ...state, isKeepingNothing: state.isKeepingNothing || event.isKeepingNothing },
        event.problem,
        event.nowUs,
      );
    case "finished":
      return finished(state, event);
  }
}

function look(state: LeaderState, event: Event<"look">): Transition {
  const troubles = agentTroubles(state, event);
  if (goesOnWithout(state)) {
    const noted = noteLosses(state, event, troubles);
    const nobody = nobodyLeft(noted?.state ?? state, event.nowUs);
    if (nobody !== null && !hasEnded(state)) return fail(state, nobody, event.nowUs);
    return noted ?? step(state, event);
  }
  const [lost] = troubles.filter(({ isLeaving }) => !isLeaving);
  if (lost !== undefined) {
    const gone = troubles.filter(({ isLeaving }) => !isLeaving).map(({ agent }) => agent);
    return fail({ ...state, givenUp: [...state.givenUp, ...gone] }, lost.problem, event.nowUs);
  }
  // Whoever was asked to end in order finishes its requests and delivers: it is waited for, and nobody is cut.
  const [leaving] = troubles;
  if (leaving !== undefined && !hasEnded(state)) return fail(state, leaving.problem, event.nowUs, "drain");
  return step(state, event);
}

function step(state: LeaderState, event: Event<"look">): Transition {
  switch (state.step.kind) {
    case "gathering":
      return gather(state, event);
    case "preparing":
      return prepare(state, event);
    case "arming":
      return arm(state, event);
    case "running":
      return run(state, event);
    case "draining":
      return drain(state, event);
    case "delivering":
      return deliver(state, event);
    default:
      return keep(state);
  }
}

function scraped(state: LeaderState, event: Event<"scraped">): Transition {
  const { step } = state;
  if (event.when === "before" && step.kind === "scraping") return probe(state, "arm", 1);
  if (event.when === "after" && step.kind === "delivering") {
    return keep({ ...state, step: { ...step, isScraped: true } });
  }
  return keep(state);
}

function written(state: LeaderState, { name }: Event<"written">): Transition {
  if (name === "end") return { state: { ...state, step: { kind: "ended" } }, effects: [{ kind: "close" }] };
  return name === "commit" ? committed(state) : keep(state);
}

function run(state: LeaderState, event: Event<"look">): Transition {
  if (state.step.kind !== "running") return keep(state);
  const next = nextStages(state, event);
  if (next === "over") return beginDrain(state, event.nowUs, {});
  const isEarly = endedEarly(state, event).length > 0;
  const earlySinceUs = isEarly ? (state.step.earlySinceUs ?? event.nowUs) : null;
  const running: LeaderState = { ...state, step: { kind: "running", earlySinceUs } };
  const problem = runningProblem(running, event);
  if (problem !== null) return fail(running, problem, event.nowUs);
  return next === null ? keep(running) : commitStages(running, next);
}

/** Whoever takes a lost shard over with one of these stages learns it by the same change as its start. */
function commitStages(state: LeaderState, stageStartsUs: RunRecord["stageStartsUs"]): Transition {
  const { record } = state;
  if (record.plan.lossPolicy !== "reshard" || (record.losses ?? []).length === 0)
    return write(state, { name: "stages", fields: { stageStartsUs } });
  const moves = movesOf(record, stageStartsUs);
  const notes = moves.slice(record.moves?.length ?? 0).map((move) => noteOf(moveNote(state, move)));
  return write(state, { name: "stages", fields: { stageStartsUs, moves } }, notes);
}

function stopped(state: LeaderState, { nowUs, stop }: Event<"stopped">): Transition {
  const stronger = strongerStop(state.record.stop, stop);
  if (stronger === state.record.stop) return keep(state);
  const known = { ...state, record: { ...state.record, stop: stronger } };
  const problem = state.record.problem ?? stopProblem(stronger);
  switch (state.step.kind) {
    case "running":
      return beginDrain(known, nowUs, { problem });
    // Past the last stage there is nothing left to hold back; only a cut changes anything.
    case "draining":
      return stop.level === "cut" ? beginDrain(known, nowUs, { problem }) : keep(known);
    case "delivering":
      return stop.level === "cut" ? finish(withProblem(known, problem)) : keep(known);
    case "finishing":
    case "ended":
    // Heeded as soon as it is known how far the run is.
    case "restoring":
      return keep(known);
    case "probing":
      return state.step.then === "resume" ? keep(known) : endEarly(known, problem);
    default:
      return endEarly(known, problem);
  }
}

/** Nothing new is sent any more. */
function hasEnded({ step }: LeaderState): boolean {
  return step.kind === "draining" || step.kind === "delivering";
}

/** Whatever ends a run before its time: what was measured is kept, nobody goes on. The first problem stays. */
function fail(
  state: LeaderState,
  problem: Problem,
  nowUs: number,
  level: "drain" | "cut" = "cut",
): Transition {
  const first = state.record.problem ?? problem;
  const note: LeaderEffect = { kind: "note", text: problem.message };
  const stop = { level, reason: problem.message.slice(0, LONGEST_REASON) } as const;
  const transition = (): Transition => {
    switch (state.step.kind) {
      case "running":
      case "draining":
        return beginDrain(state, nowUs, { problem: first }, stop);
      case "delivering":
        return write(state, { name: "deliver", fields: { problem: first } });
      case "finishing":
      case "ended":
        return keep(state);
      default:
        return endEarly(state, first);
    }
  };
  const { state: next, effects } = transition();
  return { state: next, effects: [note, ...effects] };
}

function finished(state: LeaderState, { problem, result }: Event<"finished">): Transition {
  if (state.step.kind !== "finishing") return keep(state);
  const first = state.record.problem ?? problem;
  return write(state, { name: "end", fields: { state: terminalState(first), problem: first, result } });
}

/** The state in which a run with this problem ends. */
export function terminalState(problem: Problem | null): "completed" | "failed" | "aborted" {
  if (problem === null) return "completed";
  return problem.code === "RUN_ABORTED" ? "aborted" : "failed";
}

const LONGEST_REASON = 500;
