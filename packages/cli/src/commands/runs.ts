import { isTerminal, LoadError, type RunRecord } from "@tokenstorm/core";
import { listRuns } from "@tokenstorm/protocol";
import type { Command } from "commander";
import { type Cluster, withCluster } from "../cluster.js";
import { fetchReport } from "../conduct-run.js";
import type { CommandContext } from "../context.js";
import { EXIT } from "../exit-codes.js";
import { type RunRow, renderRuns } from "../listings.js";
import { addNatsFlags, type NatsFlags, natsAccess } from "../nats-options.js";
import { DEFAULT_OUT, listLocalRuns } from "../run-directory.js";
import { readLocalReport } from "../run-files.js";

interface RunsFlags extends NatsFlags {
  readonly out: string;
  readonly json?: boolean;
}

/** More nobody reads; the rest is in the folder. */
const MOST_RUNS = 50;

export function addRuns(program: Command, context: CommandContext): void {
  const command = program.command("runs").description("what ran: here, or with --nats on a cluster");
  addNatsFlags(command)
    .option("--out <dir>", "folder of the run directories", DEFAULT_OUT)
    .option("--json", "as JSON")
    .action((flags: RunsFlags) => context.finish(runs(flags, context)));
}

async function runs(flags: RunsFlags, { terminal, env }: CommandContext): Promise<number> {
  const access = natsAccess(flags, env);
  const rows =
    access === undefined ? await localRows(flags.out) : await withCluster(access, "operator", clusterRows);
  if (flags.json === true) {
    await terminal.print(JSON.stringify(rows, null, 2));
    return EXIT.ok;
  }
  const { stdout } = terminal;
  await terminal.print(renderRuns(rows, { width: stdout.width(), colour: stdout.colour }));
  return EXIT.ok;
}

async function clusterRows(cluster: Cluster): Promise<RunRow[]> {
  const records = (await listRuns(cluster.transport)).slice(0, MOST_RUNS);
  return Promise.all(records.map(async (record) => rowOf(record, await verdictOf(cluster, record))));
}

type Verdict = Pick<RunRow, "verdict" | "thresholds">;
const UNKNOWN: Verdict = { verdict: null, thresholds: null };

/** A report that cannot be read costs its own row the verdict, not the list. */
async function verdictOf(cluster: Cluster, record: RunRecord): Promise<Verdict> {
  if (!isTerminal(record.state)) return UNKNOWN;
  try {
    const report = await fetchReport(cluster, record);
    return report === null
      ? UNKNOWN
      : { verdict: report.verdict.status, thresholds: report.verdict.thresholds };
  } catch (error) {
    if (error instanceof LoadError) return UNKNOWN;
    throw error;
  }
}

function rowOf(record: RunRecord, verdict: Verdict): RunRow {
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

async function localRows(out: string): Promise<RunRow[]> {
  const rows = await Promise.all(
    (await listLocalRuns(out))
      .slice(0, MOST_RUNS)
      .map(async ({ directory, id }): Promise<RunRow | undefined> => {
        try {
          const { run, agents, verdict } = await readLocalReport(directory);
          return {
            id: run.id,
            name: run.name,
            state: run.state,
            startedAt: run.startedAt,
            agents: agents.length,
            verdict: verdict.status,
            thresholds: verdict.thresholds,
          };
        } catch (error) {
          if (!(error instanceof LoadError)) throw error;
          return { id, name: "cannot be read", state: "failed", startedAt: null, agents: 0, ...UNKNOWN };
        }
      }),
  );
  return rows.filter((row) => row !== undefined);
}
