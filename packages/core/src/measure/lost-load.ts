import { partOf, type Shard } from "../load/keys.js";
import type { PlannedArrivals } from "../load/planned-arrivals.js";
import type { ResolvedStage } from "../load/stages.js";
import { measuredWindow } from "../load/timeline.js";
import { quotaOf } from "../load/users.js";
import type { Loss, RunRecord } from "../run/run-record.js";
import { openLosses, ownedShards, stoppedByUs } from "../run/shard-map.js";
import type { Aggregate } from "./aggregate.js";

/** What lost agents were to send in a stage, and no interval that came tells of. */
export interface LostLoad {
  /** Due while their agent may still have been sending: what became of them nobody knows. */
  readonly unknown: number;
  /** Due when it had stopped for sure, of a stage bounded by requests: nobody sent them. Of an open load the plan shows them. */
  readonly neverSent: number;
  /** Users of the level that belonged to them; 0 for open load. */
  readonly users: number;
  /** Lost agents that had a part in the level. */
  readonly agents: readonly string[];
  /** Agents of which everything that was due is counted, whatever has not come. */
  readonly counted: ReadonlySet<string>;
}

export interface LostLoadInput {
  readonly record: RunRecord;
  readonly stage: ResolvedStage;
  readonly aggregate: Aggregate;
  readonly planned: PlannedArrivals | null;
}

/** Of one level, or of a slope between two. What a shard was to send follows from the plan and the shard map, and needs nobody's word. */
export function lostLoad(input: LostLoadInput): LostLoad {
  const { record, stage, aggregate } = input;
  let unknown = 0;
  let neverSent = 0;
  let users = 0;
  const phase = measuredWindow(stage) === null ? "ramp" : "measured";
  const agents: string[] = [];
  const counted = new Set<string>();
  for (const loss of openLosses(record)) {
    const shards = ownedShards(record, loss.agent, stage.index);
    const hasFinal = aggregate
      .agents()
      .some(({ shard, final }) => shard.agent === loss.agent && final !== null);
    if (shards.length === 0) {
      counted.add(loss.agent);
      continue;
    }
    agents.push(loss.agent);
    if (stage.kind === "users") users += shards.reduce((sum, shard) => sum + partOf(stage.users, shard), 0);
    const due = dueOf(input, loss, shards);
    if (due === null) continue;
    counted.add(loss.agent);
    const heard = aggregate.offeredBy(loss.agent, stage.index, phase);
    const open = hasFinal ? 0 : Math.max(0, due.maybeSent - heard);
    unknown += open;
    if (stage.kind === "users") neverSent += Math.max(0, due.all - heard - open);
  }
  return { unknown, neverSent, users, agents, counted };
}

interface Due {
  readonly all: number;
  /** Before its agent had stopped for sure. */
  readonly maybeSent: number;
}

/** Null where the clock decides how many there are, or the plan is not walked again. */
function dueOf({ record, stage, planned }: LostLoadInput, loss: Loss, shards: readonly Shard[]): Due | null {
  const startUs = record.stageStartsUs[stage.index] ?? 0;
  const safeUs = stoppedByUs(loss, record.plan);
  if (stage.kind === "users") {
    const { bound } = stage;
    if (bound.kind === "duration") return null;
    let all = 0;
    for (const { index, count } of shards)
      for (let user = index; user < stage.users; user += count)
        all += quotaOf(bound.requests, user, stage.users);
    return { all, maybeSent: startUs < safeUs ? all : 0 };
  }
  const own = planned?.get(stage.index);
  if (planned === null || own === undefined) return null;
  let firstK = 0;
  for (const [index, dueUs] of planned) if (index < stage.index) firstK += dueUs.length;
  let all = 0;
  let maybeSent = 0;
  for (const [i, dueUs] of own.entries()) {
    if (!shards.some(({ index, count }) => (firstK + i) % count === index)) continue;
    all += 1;
    if (startUs + dueUs < safeUs) maybeSent += 1;
  }
  return { all, maybeSent };
}
