import type { ShardAssignment } from "../../run/run-record.js";
import type { Aggregate } from "../aggregate.js";
import { createAggregate } from "../fold.js";
import { type Played, play, type ScriptedRun } from "./scripted-run.js";

/** The place of agent `index` in a run. */
export function assignment(index: number): ShardAssignment {
  return {
    agent: `a${index}`,
    instance: `i${index}`,
    epoch: 3,
    index,
    host: `h${index % 2}`,
    version: "0.1.0",
    clockOffsetUs: index,
    clockErrorUs: 5,
  };
}

/** Plays a run on so many agents. */
export function playOn(run: ScriptedRun, agents: number): Played[] {
  return Array.from({ length: agents }, (_, index) =>
    play(run, { id: `a${index}`, epoch: 3, shard: { index, count: agents } }),
  );
}

/** Everything of all agents, in the order given by `order`. */
export function foldAll(
  run: ScriptedRun,
  played: readonly Played[],
  order: <T>(items: readonly T[]) => readonly T[] = (items) => items,
): Aggregate {
  const shards = played.map((_, index) => assignment(index));
  const aggregate = createAggregate({ stages: run.stages, shards });
  const results = played.flatMap(({ snapshots, final }) => [...snapshots, final]);
  for (const result of order(results)) {
    if ("blocks" in result) aggregate.fold(result);
    else aggregate.foldFinal(result);
  }
  return aggregate;
}
