import { isTerminal, LoadError, type RunRecord, type RunReport } from "@tokenstorm/core";
import type { KeptRuns } from "./kept-runs.js";
import { getReport, listRuns } from "./run-store.js";
import type { Transport } from "./transport.js";

/** A list of runs has so many at most, the newest: more nobody reads at once. */
export const MOST_LISTED_RUNS = 50;
/** Verdicts of runs that are over never change; so many are kept. */
const KEPT_VERDICTS = 1000;

/** A run in a list. */
export interface RunSummary {
  readonly id: string;
  readonly name: string;
  readonly state: RunRecord["state"];
  /** Null before its start. */
  readonly startedAt: string | null;
  readonly agents: number;
  /** Null while it is not over, and where there is no report that can be read. */
  readonly verdict: RunReport["verdict"]["status"] | null;
  readonly thresholds: RunReport["verdict"]["thresholds"] | null;
}

type Verdict = Pick<RunSummary, "verdict" | "thresholds">;
const UNKNOWN: Verdict = { verdict: null, thresholds: null };

/** Lists the newest runs, newest first; one that is used again need not read a verdict twice. */
export function createRunLister(
  transport: Pick<Transport, "state" | "blobs">,
  kept: KeptRuns,
): () => Promise<RunSummary[]> {
  const known = new Map<string, Verdict>();
  const verdictOf = async (record: RunRecord): Promise<Verdict> => {
    if (!isTerminal(record.state)) return UNKNOWN;
    const kept = known.get(record.id);
    if (kept !== undefined) return kept;
    const verdict = await readVerdict(transport, record);
    if (known.size >= KEPT_VERDICTS) known.clear();
    if (verdict.verdict !== null) known.set(record.id, verdict);
    return verdict;
  };
  return async () => {
    const records = (await listRuns(transport, kept)).slice(0, MOST_LISTED_RUNS);
    return Promise.all(records.map(async (record) => summaryOf(record, await verdictOf(record))));
  };
}

/** A report that cannot be read costs its own row the verdict, not the list. */
async function readVerdict(transport: Pick<Transport, "blobs">, record: RunRecord): Promise<Verdict> {
  // A run that ended before it had agents left none: no need to ask.
  if ((record.result?.reportBlob ?? null) === null) return UNKNOWN;
  try {
    const { verdict } = await getReport(transport, record);
    return { verdict: verdict.status, thresholds: verdict.thresholds };
  } catch (error) {
    if (error instanceof LoadError) return UNKNOWN;
    throw error;
  }
}

function summaryOf(record: RunRecord, verdict: Verdict): RunSummary {
  const { start } = record;
  return {
    id: record.id,
    name: record.name,
    state: record.state,
    startedAt: start?.committed === true ? new Date(start.epochUs / 1000).toISOString() : null,
    agents: record.shards.length,
    ...verdict,
  };
}
