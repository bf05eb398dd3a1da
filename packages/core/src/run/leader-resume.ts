import { beginDrain } from "./leader-end.js";
import { LEADER_LIMITS } from "./leader-limits.js";
import { probe } from "./leader-start.js";
import {
  initialLeaderState,
  type LeaderConfig,
  type LeaderEvent,
  type LeaderState,
  type Transition,
} from "./leader-state.js";
import { endEarly, finish, keep, withProblem, write } from "./leader-transition.js";
import { stopProblem } from "./record-change.js";
import type { RunRecord, ShardAssignment } from "./run-record.js";

/**
 * Takes over a run whose agents another leader has admitted. The store names this leader already, so that the other one
 * can write no more. What was measured comes back from the run directory and the log before anything is decided.
 */
export function resumeLeading(record: RunRecord, config: LeaderConfig, nowUs: number): Transition {
  const state = initialLeaderState(record, config, nowUs);
  return {
    state: { ...state, shards: record.shards, step: { kind: "restoring" } },
    effects: [{ kind: "open" }],
  };
}

/** Goes on where the record says that the run is. */
export function restored(
  state: LeaderState,
  { nowUs, endUs, reachedUs, isScraped }: Extract<LeaderEvent, { kind: "restored" }>,
): Transition {
  if (state.step.kind !== "restoring") return keep(state);
  const { record } = state;
  const known: LeaderState = { ...state, endUs, reachedUs };
  switch (record.state) {
    case "preparing":
    case "arming":
      if (record.stop.level !== "none") return endEarly(known, stopProblem(record.stop));
      if (record.state === "preparing")
        return keep({ ...known, step: { kind: "preparing", sinceUs: nowUs } });
      // Time zero lies on the clock of the leader before: a new one is proposed.
      return probe(known, "arm", (record.start?.attempt ?? 0) + 1);
    case "running":
    case "draining":
    case "delivering":
      return probe({ ...known, isScrapedAfter: isScraped }, "resume", 1);
    default:
      // Whoever takes over takes no run that is over, nor one that nobody has begun.
      return keep(known);
  }
}

/** Clocks have been compared: run time is known again. Where no agent answers, they are asked again for a while. */
export function resumed(
  state: LeaderState,
  { nowUs, offsets }: Extract<LeaderEvent, { kind: "probed" }>,
): Transition {
  const { record, step } = state;
  if (record.start === null || step.kind !== "probing") return keep(state);
  const recovered = recoverZeroUs(record.start.localUs, state.shards, offsets);
  if (recovered === null && step.attempt < LEADER_LIMITS.resumeAttempts) {
    const text = "no agent answers the new leader: their clocks are asked again";
    return then({ state, effects: [{ kind: "note", text }] }, probe(state, "resume", step.attempt + 1));
  }
  // A wall clock may be wrong by any amount; results end no later than now.
  const start = { ...record.start, leaderUs: recovered ?? nowUs - state.reachedUs };
  const resuming = write(
    { ...state, isTimeKnown: recovered !== null },
    { name: "resume", fields: { start } },
    recovered === null
      ? [{ kind: "note", text: "no agent answers: the run's time is that of its results" }]
      : [],
  );
  return then(resuming, goOn(resuming.state, nowUs));
}

/** In the state that the record names, which the leader before may have left in the middle of a step. */
function goOn(state: LeaderState, nowUs: number): Transition {
  const { record, isScrapedAfter: isScraped } = state;
  const { stop } = record;
  // Whoever stopped it while nobody led has told no leader.
  const problem = record.problem ?? (stop.level === "none" ? null : stopProblem(stop));
  if (record.state === "running") {
    const running: LeaderState = { ...state, step: { kind: "running", earlySinceUs: null } };
    const watching: Transition = { state: running, effects: [{ kind: "watch-server" }] };
    return stop.level === "none" ? watching : then(watching, beginDrain(running, nowUs, { problem }));
  }
  // Past the last stage there is nothing left to hold back; only a cut changes anything.
  const cut = stop.level === "cut" && problem !== null ? withProblem(state, problem) : state;
  if (record.state === "draining") return keep({ ...cut, step: { kind: "draining", sinceUs: nowUs } });
  const delivering: LeaderState = { ...cut, step: { kind: "delivering", sinceUs: nowUs, isScraped } };
  const drained = noteDrained(delivering);
  const scraping: Transition = isScraped
    ? drained
    : then(drained, { state: drained.state, effects: [{ kind: "scrape", when: "after" }] });
  // A cut that came of a failure is no wish to do without what was measured.
  const isWished = stop.level === "cut" && problem?.code === "RUN_ABORTED";
  return isWished ? then(scraping, finish(scraping.state)) : scraping;
}

/** The leader before died between the record and its note of when the run's time was over. */
function noteDrained(state: LeaderState): Transition {
  const { endUs, reachedUs } = state;
  if (endUs > 0 || reachedUs === 0) return keep(state);
  return { state: { ...state, endUs: reachedUs }, effects: [{ kind: "drained", endUs: reachedUs }] };
}

function then(first: Transition, next: Transition): Transition {
  return { state: next.state, effects: [...first.effects, ...next.effects] };
}

/**
 * Time zero on this leader's clock: it lies in the agents, each of which began by its own clock. The median of what
 * they say, for the leader before had judged each clock with an error of its own; null where nobody answered.
 */
export function recoverZeroUs(
  localUs: Readonly<Record<string, number>>,
  shards: readonly ShardAssignment[],
  offsets: Extract<LeaderEvent, { kind: "probed" }>["offsets"],
): number | null {
  const zeros = shards
    .flatMap(({ agent }) => {
      const local = localUs[agent];
      const offset = offsets.get(agent);
      return local === undefined || offset === undefined ? [] : [local - offset.offsetUs];
    })
    .sort((a, b) => a - b);
  if (zeros.length === 0) return null;
  const middle = zeros.length >> 1;
  const upper = zeros[middle] ?? 0;
  return zeros.length % 2 === 1 ? upper : Math.round(((zeros[middle - 1] ?? upper) + upper) / 2);
}
