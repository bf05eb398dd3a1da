import {
  createAggregate,
  type Definitions,
  type DefinitionsReport,
  type Final,
  type RunEvent,
  type RunFacts,
  type RunReport,
  recompute,
  resolveStages,
  type Snapshot,
  type SummaryInput,
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
  /** Intervals that an agent is known to have cut, though it left no final word; from what the leader wrote. */
  readonly expected?: readonly { readonly agent: string; readonly lastSeq: number }[];
}

/** The report from a run directory's lines alone: the same that the leader wrote, since both fold the same lines. */
export async function rebuildReport(lines: RunLines): Promise<RunReport> {
  return summariseRun(await foldLines(lines));
}

/** The same run in somebody else's definitions. */
export async function rebuildDefinitions(
  definitions: Definitions,
  lines: RunLines,
): Promise<DefinitionsReport> {
  return recompute(definitions, await foldLines(lines));
}

/** `onFolded` is handed each snapshot that counts, once. */
export async function foldLines(
  { facts, results, events, expected = [] }: RunLines,
  onFolded: (snapshot: Snapshot) => void = () => {},
): Promise<SummaryInput> {
  const stages = resolveStages(facts.record.plan);
  const aggregate = createAggregate({ stages, shards: facts.record.shards });
  for (const { agent, lastSeq } of expected) {
    const shard = facts.record.shards.find((one) => one.agent === agent);
    if (shard !== undefined) aggregate.expectAtLeast(agent, shard.epoch, lastSeq);
  }
  for await (const result of results) {
    if (result.kind === "final") aggregate.foldFinal(result.final);
    else if (aggregate.fold(result.snapshot) === "folded") onFolded(result.snapshot);
  }
  const serverSamples = [...events].flatMap((event) => (event.kind === "server" ? [event.sample] : []));
  return { facts, stages, aggregate, serverSamples };
}
