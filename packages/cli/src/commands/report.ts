import { DEFINITIONS, type Definitions, LoadError, type RunReport } from "@tokenstorm/core";
import { renderDefinitions, renderJson, renderText } from "@tokenstorm/report";
import type { Command } from "commander";
import { addedText, addSpoolFile } from "../add-spool.js";
import { withCluster } from "../cluster.js";
import type { CommandContext } from "../context.js";
import { EXIT } from "../exit-codes.js";
import { addNatsFlags, type NatsAccess, type NatsFlags, natsAccess } from "../nats-options.js";
import { oneOf } from "../parse-arguments.js";
import { DEFAULT_OUT, findLocalRun } from "../run-directory.js";
import { definitionsFromDirectory, rebuildFromDirectory } from "../run-files.js";

const FORMATS = ["text", "json"] as const;

interface ReportFlags extends NatsFlags {
  readonly format: (typeof FORMATS)[number];
  readonly json?: boolean;
  readonly definitions?: Definitions;
  readonly out: string;
  readonly add?: readonly string[];
}

interface Found {
  readonly report: RunReport;
  readonly directory: string | undefined;
}

export function addReport(program: Command, context: CommandContext): void {
  const command = program
    .command("report")
    .description("show a run's report again")
    .argument("[run]", "id, the beginning of one, or a run directory; the latest by default");
  addNatsFlags(command)
    .option("--format <kind>", FORMATS.join(", "), oneOf(FORMATS), "text")
    .option("--json", "the same as --format json")
    .option(
      "--definitions <whose>",
      `the run in others' definitions, from its run directory: ${DEFINITIONS.join(", ")}`,
      oneOf(DEFINITIONS),
    )
    .option("--add <file...>", "fold spool files of agents whose results nobody confirmed into the run first")
    .option("--out <dir>", "folder of the run directories", DEFAULT_OUT)
    .action((run: string | undefined, flags: ReportFlags) => context.finish(report(run, flags, context)));
}

async function report(
  named: string | undefined,
  flags: ReportFlags,
  { terminal, env }: CommandContext,
): Promise<number> {
  if (flags.add !== undefined) await addSpoolFiles(named, flags.add, flags.out, terminal);
  if (flags.definitions !== undefined) return tellDefinitions(named, flags.definitions, flags, terminal);
  const access = natsAccess(flags, env);
  const found = (await findHere(named, flags)) ?? (await findThere(named, access, flags.out));
  if (flags.json === true || flags.format === "json") {
    await terminal.print(renderJson(found.report));
    return EXIT.ok;
  }
  const { stdout } = terminal;
  const { directory } = found;
  await terminal.print(renderText(found.report, { width: stdout.width(), colour: stdout.colour, directory }));
  return EXIT.ok;
}

/** Into a run directory of this host: the coordinator's own. */
async function addSpoolFiles(
  named: string | undefined,
  files: readonly string[],
  out: string,
  terminal: CommandContext["terminal"],
): Promise<void> {
  const local = await findLocalRun(named, out);
  if (local === undefined) {
    throw new LoadError("RUN_UNKNOWN", `there is no run ${named ?? ""} in ${out}`, {
      hint: "--add needs the run directory: name it, or run this where the coordinator keeps its runs (--out)",
    });
  }
  for (const file of files) terminal.say(addedText(await addSpoolFile(local.directory, file)));
}

/** Only a run directory holds the intervals that other definitions are made from. */
async function tellDefinitions(
  named: string | undefined,
  definitions: Definitions,
  flags: ReportFlags,
  terminal: CommandContext["terminal"],
): Promise<number> {
  const local = await findLocalRun(named, flags.out);
  if (local === undefined) {
    const what = named === undefined ? "there is no run yet" : `there is no run ${named}`;
    throw new LoadError("RUN_UNKNOWN", `${what} in ${flags.out}`, {
      hint: "--definitions needs a run directory here; --out names another folder, and a path of one will do too",
    });
  }
  const told = await definitionsFromDirectory(definitions, local.directory);
  const { stdout } = terminal;
  const isJson = flags.json === true || flags.format === "json";
  await terminal.print(
    isJson
      ? JSON.stringify(told, null, 2)
      : renderDefinitions(told, { width: stdout.width(), colour: stdout.colour }),
  );
  return EXIT.ok;
}

/** With --nats and no name, the latest of the cluster is meant. */
async function findHere(named: string | undefined, flags: ReportFlags): Promise<Found | undefined> {
  if (named === undefined && flags.nats !== undefined) return undefined;
  const local = await findLocalRun(named, flags.out);
  if (local === undefined) return undefined;
  return { report: await rebuildFromDirectory(local.directory), directory: local.directory };
}

async function findThere(
  named: string | undefined,
  access: NatsAccess | undefined,
  out: string,
): Promise<Found> {
  if (access === undefined) {
    const what = named === undefined ? "there is no run yet" : `there is no run ${named}`;
    throw new LoadError("RUN_UNKNOWN", `${what} in ${out}`, {
      hint: "tokenstorm runs lists them; --out names another folder, --nats URL asks a cluster",
    });
  }
  return withCluster(access, "operator", async ({ operations }) => {
    const record = await operations.run(named);
    const report = await operations.report(record);
    const directory = record.result?.directory;
    return { report, directory: directory === undefined ? undefined : `${directory} at the coordinator` };
  });
}
