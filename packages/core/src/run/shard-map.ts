import type { Shard } from "../load/keys.js";
import { resolveStages } from "../load/resolve-stages.js";
import { orphanMsOf } from "../plan/defaults.js";
import type { TestPlan } from "../plan/schema.js";
import type { Loss, RunRecord, ShardMove } from "./run-record.js";

/** Beyond the time after which a lost agent stops by itself: for clocks, and for what is on its way. */
const STOP_MARGIN_US = 1_000_000;

/** What of a record says who sends what. */
export type ShardMap = Pick<RunRecord, "shards" | "moves">;

/** Losses of agents that have not been heard again since; the last word on each. */
export function openLosses({ losses = [] }: Pick<RunRecord, "losses">): readonly Loss[] {
  const last = new Map(losses.map((loss) => [loss.agent, loss]));
  return [...last.values()].filter(({ foundUs }) => foundUs === null);
}

/**
 * Run time by which an agent that was lost sends nothing any more, whatever it hears, us: no beacon since the loss took it
 * for one of the run's, and without any it stops after `orphanMs`. Counted from the moment at which it counted as lost:
 * until then it may have heard beacons although nothing of it was heard.
 */
export function stoppedByUs(
  loss: Pick<Loss, "lostUs">,
  plan: Pick<TestPlan, "orphanMs" | "lossPolicy">,
): number {
  return loss.lostUs + orphanMsOf(plan) * 1000 + STOP_MARGIN_US;
}

/**
 * What an agent sends in a stage: keys by residue. At first all that are its index modulo the number of agents; of an
 * agent that was lost nothing from the stage on in which others have taken its keys.
 */
export function ownedShards(map: ShardMap, agent: string, stage: number): readonly Shard[] {
  const { shards, moves = [] } = map;
  const held = moves.filter(({ fromStage }) => fromStage <= stage);
  if (held.some(({ lost }) => lost === agent)) return [];
  const own = shards.find((shard) => shard.agent === agent);
  const taken = held.flatMap(({ to }) => to.filter((part) => part.agent === agent));
  return [...(own === undefined ? [] : [{ index: own.index, count: shards.length }]), ...taken].map(
    ({ index, count }) => ({ index, count }),
  );
}

/** A shard that an agent has taken over, and from which stage on it sends it. */
export interface TakenShard extends Shard {
  readonly fromStage: number;
}

export function takenShards({ moves = [] }: Pick<RunRecord, "moves">, agent: string): readonly TakenShard[] {
  return moves.flatMap(({ to, fromStage }) =>
    to.filter((part) => part.agent === agent).map(({ index, count }) => ({ index, count, fromStage })),
  );
}

/**
 * The moves that follow from the losses of a run under `reshard`, those that are committed first: each from the first
 * stage on that starts when the lost agent has stopped for sure. One whose stage has no start yet waits for it.
 */
export function movesOf(
  record: Pick<RunRecord, "shards" | "moves" | "losses" | "plan">,
  stageStartsUs: RunRecord["stageStartsUs"],
): readonly ShardMove[] {
  let moves = record.moves ?? [];
  const losses = openLosses(record);
  const takers = record.shards.filter(({ agent }) => losses.every((loss) => loss.agent !== agent));
  if (takers.length === 0) return moves;
  for (const loss of losses) {
    if (moves.some(({ lost }) => lost === loss.agent)) continue;
    const safeUs = stoppedByUs(loss, record.plan);
    const fromStage = stageStartsUs.findIndex((startUs) => startUs !== null && startUs >= safeUs);
    if (fromStage < 0) continue;
    const to = handOver({ ...record, moves }, { lost: loss.agent, fromStage, takers });
    moves = [...moves, { lost: loss.agent, fromStage, to }];
  }
  return moves;
}

/** Parts of all moves: near it a lost agent's own keys are split into fewer. The record has a bound, and so has an agent. */
const MOST_PARTS = 2000;
/** Of what is left of the parts, one loss takes no more than one in so many. */
const PARTS_SHARE = 8;

/**
 * A lost agent's own keys are split over all others; what it had taken over itself goes on whole, each part to whoever has
 * least. So the parts of a run grow with its losses by a sum, not by a product, and `count` stays that of two numbers of agents.
 */
function handOver(
  map: ShardMap & Pick<RunRecord, "plan">,
  { lost, fromStage, takers }: { lost: string; fromStage: number; takers: readonly { agent: string }[] },
): ShardMove["to"] {
  const given = (map.moves ?? []).reduce((sum, move) => sum + move.to.length, 0);
  const most = Math.max(1, Math.floor((MOST_PARTS - given) / PARTS_SHARE));
  const pieces = Math.min(takers.length, most);
  const parts = ownedShards(map, lost, fromStage).flatMap(({ index, count }) => {
    if (count !== map.shards.length) return [{ index, count }];
    return Array.from({ length: pieces }, (_, part) => ({
      index: index + count * part,
      count: count * pieces,
    }));
  });
  const keys = mostKeys(map.plan, fromStage);
  const needed = parts.filter(({ index }) => index < keys);
  const loads = loadsOf(map, fromStage, takers);
  // A loss is said to have been taken over by somebody, be it that nothing is left to be sent.
  return (needed.length > 0 ? needed : parts.slice(0, 1)).map((part) => {
    const [agent, load] = [...loads].reduce((least, one) => (one[1] < least[1] ? one : least));
    loads.set(agent, load + 1 / part.count);
    return { agent, ...part };
  });
}

/** Keys that a stage can have from there on: users are counted, arrivals are not. */
function mostKeys(plan: TestPlan, fromStage: number): number {
  const stages = resolveStages(plan).slice(fromStage);
  return Math.max(
    ...stages.map((stage) => (stage.kind === "users" ? stage.users : Number.POSITIVE_INFINITY)),
  );
}

/** Share of all keys that each of them has from that stage on. */
function loadsOf(
  { shards, moves = [] }: ShardMap,
  fromStage: number,
  takers: readonly { agent: string }[],
): Map<string, number> {
  const loads = new Map(takers.map(({ agent }) => [agent, 1 / shards.length]));
  for (const move of moves)
    for (const { agent, count } of move.fromStage <= fromStage ? move.to : []) {
      const load = loads.get(agent);
      if (load !== undefined) loads.set(agent, load + 1 / count);
    }
  return loads;
}
