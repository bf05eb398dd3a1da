import {
  createAggregate,
  type Final,
  type RunEvent,
  type RunFacts,
  type RunReport,
  resolveStages,
  type Snapshot,
  summariseRun,
} from "@tokenstorm/core";

/** A line of snapshots.ndjson, decoded. */
export type RunResult =
  | { readonly kind: "snapshot"; readonly snapshot: Snapshot }
  | { readonly kind: "final"; readonly final: Final };

/** What a run directory holds. */
export interface RunLines {
  readonly facts: RunFacts;
  readonly results: Iterable<RunResult> | AsyncIterable<RunResult>;
  readonly events: Iterable<RunEvent>;
}

/** The report from a run directory's lines alone: the same that the leader wrote, since both fold the same lines. */
export async function rebuildReport({ facts, results, events }: RunLines): Promise<RunReport> {
  const stages = resolveStages(facts.record.plan);
  const aggregate = createAggregate({ stages, shards: facts.record.shards });
  for await (const result of results) {
    if (result.kind === "snapshot") aggregate.fold(result.snapshot);
    else aggregate.foldFinal(result.final);
  }
  const serverSamples = [...events].flatMap((event) => (event.kind === "server" ? [event.sample] : []));
  return summariseRun({ facts, stages, aggregate, serverSamples });
}
