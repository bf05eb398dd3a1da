import { join } from "node:path";
import { DEFINITIONS, type Definitions, LoadError, type RunReport } from "@tokenstorm/core";
import {
  renderCsv,
  renderDefinitions,
  renderJson,
  renderText,
  renderVllm,
  reportOnlyData,
} from "@tokenstorm/report";
import type { Command } from "commander";
import type { CommandContext } from "../context.js";
import { EXIT } from "../exit-codes.js";
import { addNatsFlags, type NatsAccess, type NatsFlags, natsAccess } from "../nats-options.js";
import { oneOf } from "../parse-arguments.js";
import { DEFAULT_OUT, findLocalRun } from "../run-directory.js";
import {
  definitionsFromDirectory,
  intervalsFromDirectory,
  pageFromDirectory,
  rebuildFromDirectory,
} from "../run-files.js";

const FORMATS = ["text", "json", "csv", "hlog", "vllm", "html"] as const;

interface ReportFlags extends NatsFlags {
  readonly format: (typeof FORMATS)[number];
  readonly json?: boolean;
  readonly definitions?: Definitions;
  readonly intervals?: boolean;
  readonly out: string;
  readonly add?: readonly string[];
  readonly to?: string;
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
    .option("--intervals", "with --format csv: a row for each interval instead of each level")
    .option("--out <dir>", "folder of the run directories", DEFAULT_OUT)
    .option("--to <file>", "of html: the file to write; - is stdout")
    .action((run: string | undefined, flags: ReportFlags) => {
      const problem = contradiction(flags);
      if (problem !== undefined) command.error(`error: ${problem}`, { exitCode: EXIT.usage });
      return context.finish(report(run, flags, context));
    });
}

/** Why these flags cannot be together. */
function contradiction({ format, json, definitions, intervals, to }: ReportFlags): string | undefined {
  if (json === true && format !== "text" && format !== "json")
    return `--json and --format ${format} are two formats`;
  if (intervals === true && format !== "csv") return "--intervals is for --format csv";
  if (to !== undefined && format !== "html") return "--to is for --format html";
  if (definitions === undefined) return undefined;
  if (format === "csv" || format === "hlog" || format === "html")
    return `--format ${format} is in our own definitions`;
  return format === "vllm" && definitions !== "vllm"
    ? "--format vllm is in the definitions of vllm"
    : undefined;
}

async function report(
  named: string | undefined,
  flags: ReportFlags,
  { terminal, env }: CommandContext,
): Promise<number> {
  if (flags.add !== undefined) await addSpoolFiles(named, flags.add, flags.out, terminal);
  if (flags.format === "vllm") return tellVllm(named, flags, terminal);
  if (flags.format === "hlog" || flags.intervals === true) return tellIntervals(named, flags, terminal);
  if (flags.definitions !== undefined) return tellDefinitions(named, flags.definitions, flags, terminal);
  if (flags.format === "html") return tellPage(named, flags, { terminal, env });
  const access = natsAccess(flags, env);
  const found = (await findHere(named, flags)) ?? (await findThere(named, access, flags.out));
  if (flags.json === true || flags.format === "json") {
    await terminal.print(renderJson(found.report));
    return EXIT.ok;
  }
  if (flags.format === "csv") {
    await terminal.print(renderCsv(found.report).slice(0, -1));
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
  // Loaded where it is wanted, as is all that most reports do without.
  const { addedText, addSpoolFile } = await import("../add-spool.js");
  for (const file of files) terminal.say(addedText(await addSpoolFile(local.directory, file)));
}

/** From the lines of a run directory; of a run that lies elsewhere only what its report says. */
async function tellPage(
  named: string | undefined,
  flags: ReportFlags,
  { terminal, env }: Pick<CommandContext, "terminal" | "env">,
): Promise<number> {
  const isThere = named === undefined && flags.nats !== undefined;
  const local = isThere ? undefined : await findLocalRun(named, flags.out);
  const data =
    local === undefined
      ? reportOnlyData((await findThere(named, natsAccess(flags, env), flags.out)).report)
      : await pageFromDirectory(local.directory);
  const { writePage } = await import("./report-html.js");
  await writePage(data, { to: flags.to, beside: join(local?.directory ?? ".", "report.html") }, terminal);
  return EXIT.ok;
}

/** Only a run directory holds the intervals that other definitions are made from. */
async function tellDefinitions(
  named: string | undefined,
  definitions: Definitions,
  flags: ReportFlags,
  terminal: CommandContext["terminal"],
): Promise<number> {
  const directory = await directoryOf(named, flags, "--definitions");
  const told = await definitionsFromDirectory(definitions, directory);
  const { stdout } = terminal;
  const isJson = flags.json === true || flags.format === "json";
  await terminal.print(
    isJson
      ? JSON.stringify(told, null, 2)
      : renderDefinitions(told, { width: stdout.width(), colour: stdout.colour }),
  );
  return EXIT.ok;
}

/** Of what only a run directory has the intervals for. */
async function directoryOf(named: string | undefined, flags: ReportFlags, what: string): Promise<string> {
  const local = await findLocalRun(named, flags.out);
  if (local !== undefined) return local.directory;
  const missing = named === undefined ? "there is no run yet" : `there is no run ${named}`;
  throw new LoadError("RUN_UNKNOWN", `${missing} in ${flags.out}`, {
    hint: `${what} needs a run directory here; --out names another folder, and a path of one will do too`,
  });
}

async function tellVllm(
  named: string | undefined,
  flags: ReportFlags,
  terminal: CommandContext["terminal"],
): Promise<number> {
  const directory = await directoryOf(named, flags, "--format vllm");
  await terminal.print(renderVllm(await definitionsFromDirectory("vllm", directory)));
  return EXIT.ok;
}

async function tellIntervals(
  named: string | undefined,
  flags: ReportFlags,
  terminal: CommandContext["terminal"],
): Promise<number> {
  const what = flags.format === "hlog" ? "--format hlog" : "--intervals";
  const run = await intervalsFromDirectory(await directoryOf(named, flags, what));
  const { histogramLog, intervalTable } = await import("../interval-formats.js");
  // Line by line: a long run is not held as one text.
  for await (const line of flags.format === "hlog" ? histogramLog(run) : intervalTable(run)) {
    await terminal.print(line);
  }
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
  const { withCluster } = await import("../cluster.js");
  return withCluster(access, "operator", async ({ operations }) => {
    const record = await operations.run(named);
    const report = await operations.report(record);
    const directory = record.result?.directory;
    return { report, directory: directory === undefined ? undefined : `${directory} at the coordinator` };
  });
}
