import { beginDrain } from "./leader-end.js";
import { probe } from "./leader-start.js";
import {
  initialLeaderState,
  type LeaderConfig,
  type LeaderEffect,
  type LeaderEvent,
  type LeaderState,
  type Transition,
} from "./leader-state.js";
import { endEarly, finish, keep, write } from "./leader-transition.js";
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
  { nowUs, endUs, isScraped }: Extract<LeaderEvent, { kind: "restored" }>,
): Transition {
  if (state.step.kind !== "restoring") return keep(state);
  const { record } = state;
  const known: LeaderState = { ...state, endUs };
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

/** Clocks have been compared: run time is known again, as far as agents answered. */
export function resumed(
  state: LeaderState,
  { nowUs, offsets }: Extract<LeaderEvent, { kind: "probed" }>,
): Transition {
  const { record, config } = state;
  if (record.start === null) return keep(state);
  const recovered = recoverZeroUs(record.start.localUs, state.shards, offsets);
  const leaderUs = recovered ?? record.start.epochUs - config.epochOffsetUs;
  const notes: LeaderEffect[] =
    recovered === null
      ? [{ kind: "note", text: "no agent answers: the run's time is taken from the wall clock" }]
      : [];
  const change = { name: "resume", fields: { start: { ...record.start, leaderUs } } } as const;
  const goOn = (step: LeaderState["step"], effects: readonly LeaderEffect[]) =>
    write({ ...state, step }, change, [...notes, ...effects]);
  if (record.state === "running") {
    const running = goOn({ kind: "running", earlySinceUs: null }, [{ kind: "watch-server" }]);
    if (record.stop.level === "none") return running;
    const problem = record.problem ?? stopProblem(record.stop);
    const draining = beginDrain(running.state, nowUs, { problem });
    return { state: draining.state, effects: [...running.effects, ...draining.effects] };
  }
  if (record.state === "draining") return goOn({ kind: "draining", sinceUs: nowUs }, []);
  const isScraped = state.isScrapedAfter;
  // The leader before may have ended with its word on that, or say it when nobody looks any more: the last word holds.
  const drained: LeaderEffect[] =
    state.endUs > 0 ? [] : [{ kind: "drained", endUs: Math.max(0, nowUs - leaderUs) }];
  const delivering = goOn({ kind: "delivering", sinceUs: nowUs, isScraped }, [
    ...drained,
    ...(isScraped ? [] : [{ kind: "scrape", when: "after" } as const]),
  ]);
  if (record.stop.level !== "cut") return delivering;
  const ending = finish(delivering.state);
  return { state: ending.state, effects: [...delivering.effects, ...ending.effects] };
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
