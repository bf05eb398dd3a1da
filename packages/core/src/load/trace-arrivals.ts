import { assert } from "../errors.js";
import type { TraceEntry } from "../workload/trace.js";
import type { Arrival } from "./arrivals.js";
import type { Shard } from "./keys.js";
import type { ResolvedStage } from "./stages.js";

/** The arrivals of a trace that a shard owns, in order: request k of the trace's part, k modulo the number of agents. */
export function* traceArrivals(options: {
  readonly entries: readonly TraceEntry[];
  readonly stages: readonly ResolvedStage[];
  readonly shard: Shard;
}): IterableIterator<Arrival> {
  const { entries, stages, shard } = options;
  const stage = stages.find(({ kind }) => kind === "rate");
  assert(stage !== undefined, "a trace has a stage");
  for (let k = shard.index; k < entries.length; k += shard.count) {
    yield { key: { kind: "open", stage: stage.index, k }, dueUs: entries[k]?.dueUs ?? 0 };
  }
}
