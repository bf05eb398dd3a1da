import { LoadError } from "@tokenstorm/core";
import { MOST_LISTED_RUNS, type RunSummary } from "@tokenstorm/protocol";
import type { Command } from "commander";
import { withCluster } from "../cluster.js";
import type { CommandContext } from "../context.js";
import { EXIT } from "../exit-codes.js";
import { renderRuns } from "../listings.js";
import { addNatsFlags, type NatsFlags, natsAccess } from "../nats-options.js";
import { DEFAULT_OUT, listLocalRuns } from "../run-directory.js";
import { readLocalReport } from "../run-files.js";

interface RunsFlags extends NatsFlags {
  readonly out: string;
  readonly json?: boolean;
}

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
    access === undefined
      ? await localRows(flags.out)
      : await withCluster(access, "operator", ({ operations }) => operations.runs());
  if (flags.json === true) {
    await terminal.print(JSON.stringify(rows, null, 2));
    return EXIT.ok;
  }
  const { stdout } = terminal;
  await terminal.print(renderRuns(rows, { width: stdout.width(), colour: stdout.colour }));
  return EXIT.ok;
}

const NOT_KNOWN = { verdict: null, thresholds: null } as const;

async function localRows(out: string): Promise<RunSummary[]> {
  const rows = await Promise.all(
    (await listLocalRuns(out))
      // The rest is in the folder.
      .slice(0, MOST_LISTED_RUNS)
      .map(async ({ directory, id }): Promise<RunSummary | undefined> => {
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
          return { id, name: "cannot be read", state: "failed", startedAt: null, agents: 0, ...NOT_KNOWN };
        }
      }),
  );
  return rows.filter((row) => row !== undefined);
}
