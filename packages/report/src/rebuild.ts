import {
  createAggregate,
  type Definitions,
  type DefinitionsReport,
  type Final,
  type FoldedInterval,
  IntervalFold,
  type RunEvent,
  type RunEvidence,
  type RunFacts,
  type RunReport,
  recompute,
  resolveStages,
  runEvidence,
  type ServerSample,
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

/** A run for a comparison: its report, and what its windows varied by. */
export async function rebuildEvidence(lines: RunLines): Promise<RunEvidence> {
  return runEvidence(await foldLines(lines));
}

/** What of a run comes interval by interval, in the order of time. */
export interface IntervalsOfRun {
  readonly facts: RunFacts;
  readonly stageNames: readonly string[];
  readonly serverSamples: readonly ServerSample[];
  readonly intervals: AsyncGenerator<FoldedInterval>;
}

/** A run interval by interval: never held as a whole where its agents delivered in time. */
export function foldIntervals(lines: RunLines): IntervalsOfRun {
  const { facts } = lines;
  const serverSamples = samplesOf(lines.events);
  const stageNames = resolveStages(facts.record.plan).map(({ name }) => name);
  return { facts, stageNames, serverSamples, intervals: intervalsOf(lines) };
}

async function* intervalsOf({ facts, results }: RunLines): AsyncGenerator<FoldedInterval> {
  const { plan, shards } = facts.record;
  // Knows what is a duplicate, foreign or broken.
  const aggregate = createAggregate({ stages: resolveStages(plan), shards, live: false });
  const fold = new IntervalFold(shards.length);
  for await (const result of results) {
    if (result.kind === "final" || aggregate.fold(result.snapshot) !== "folded") continue;
    fold.add(result.snapshot);
    yield* fold.takeComplete();
  }
  yield* fold.takeRest();
}

const samplesOf = (events: Iterable<RunEvent>): ServerSample[] =>
  [...events].flatMap((event) => (event.kind === "server" ? [event.sample] : []));

/** `onFolded` is handed each snapshot that counts, once. */
export async function foldLines(
  { facts, results, events, expected = [] }: RunLines,
  onFolded: (snapshot: Snapshot) => void = () => {},
): Promise<SummaryInput> {
  const stages = resolveStages(facts.record.plan);
  const aggregate = createAggregate({ stages, shards: facts.record.shards, live: false });
  for (const { agent, lastSeq } of expected) {
    const shard = facts.record.shards.find((one) => one.agent === agent);
    if (shard !== undefined) aggregate.expectAtLeast(agent, shard.epoch, lastSeq);
  }
  for await (const result of results) {
    if (result.kind === "final") aggregate.foldFinal(result.final);
    else if (aggregate.fold(result.snapshot) === "folded") onFolded(result.snapshot);
  }
  return { facts, stages, aggregate, serverSamples: samplesOf(events) };
}
