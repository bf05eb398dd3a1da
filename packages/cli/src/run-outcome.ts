import { writeFile } from "node:fs/promises";
import { basename, join, relative } from "node:path";
import type { RunRecord, RunReport } from "@tokenstorm/core";
import { renderJson, renderText } from "@tokenstorm/report";
import type { Conducted } from "./conduct-run.js";
import { errorLines } from "./errors.js";
import { EXIT, runExitCode } from "./exit-codes.js";
import { reasonOf } from "./plan-file.js";
import { DEFAULT_OUT, makeFolder } from "./run-directory.js";
import type { Terminal } from "./terminal.js";

export interface OutcomeOptions {
  readonly terminal: Terminal;
  readonly json: boolean;
  readonly strict: boolean;
  readonly out: string;
  /** Where the coordinator is: on this machine, or behind a NATS of that address. */
  readonly place: { readonly kind: "here" } | { readonly kind: "nats"; readonly url: string };
}

/** Shows how a run ended (the report on stdout, what went wrong on stderr); gives the exit code. */
export async function showOutcome(conducted: Conducted, options: OutcomeOptions): Promise<number> {
  const { terminal } = options;
  const { record, report } = conducted;
  if (record === null) {
    terminal.say("the run was left before it had ended; what was measured may be incomplete");
    return EXIT.stopped;
  }
  const started = record.start?.committed === true;
  if (report !== null && (started || options.json)) {
    await terminal.print(options.json ? renderJson(report) : await textOf(record, report, options));
  }
  if (record.problem !== null && record.state === "failed") {
    for (const line of errorLines(record.problem)) terminal.say(line);
  } else if (report === null && started) {
    terminal.say("error: the coordinator left no report");
  }
  return runExitCode({ state: record.state, started, problem: record.problem, report }, options);
}

async function textOf(record: RunRecord, report: RunReport, options: OutcomeOptions): Promise<string> {
  const { stdout } = options.terminal;
  const directory = await whereItLies(record, report, options);
  const again =
    options.place.kind === "nats"
      ? `tokenstorm report ${record.id} --nats ${options.place.url}`
      : `tokenstorm report ${record.id}${options.out === DEFAULT_OUT ? "" : ` --out ${options.out}`}`;
  return renderText(report, { width: stdout.width(), colour: stdout.colour, directory, again });
}

async function whereItLies(
  record: RunRecord,
  report: RunReport,
  options: OutcomeOptions,
): Promise<string | undefined> {
  const directory = record.result?.directory;
  if (directory === undefined || directory === "") return undefined;
  if (options.place.kind === "here") return shortPath(directory);
  const kept = await keepReport(basename(directory), report, options);
  return `${directory} at the coordinator${kept === undefined ? "" : `; ${kept} here`}`;
}

/** Keeps a report from elsewhere beside the runs of this host. That it cannot be kept is no reason to fail. */
export async function keepReport(
  name: string,
  report: RunReport,
  { out, terminal }: Pick<OutcomeOptions, "out" | "terminal">,
): Promise<string | undefined> {
  const folder = join(out, name);
  try {
    await makeFolder(folder);
    await writeFile(join(folder, "report.json"), `${renderJson(report)}\n`);
    return shortPath(join(folder, "report.json"));
  } catch (error) {
    terminal.say(`warning: the report could not be kept in ${folder}: ${reasonOf(error)}`);
    return undefined;
  }
}

/** As a person would write it from here. */
function shortPath(path: string): string {
  const fromHere = relative(process.cwd(), path);
  return fromHere === "" || fromHere.startsWith("..") ? path : fromHere;
}
