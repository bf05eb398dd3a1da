import { compareRuns, LoadError, type LoadErrorCode, type Side } from "@tokenstorm/core";
import { comparisonData, renderComparison } from "@tokenstorm/report";
import { type Command, InvalidArgumentError } from "commander";
import { readSides } from "../compare-sides.js";
import type { CommandContext } from "../context.js";
import { describeError } from "../errors.js";
import { EXIT } from "../exit-codes.js";
import { oneOf } from "../parse-arguments.js";
import { DEFAULT_OUT } from "../run-directory.js";
import type { Terminal } from "../terminal.js";
import { writePage } from "./report-html.js";

const FORMATS = ["text", "json", "html"] as const;
/** Sides that fit beside each other. */
const MOST_SIDES = 8;

interface CompareFlags {
  readonly format: (typeof FORMATS)[number];
  readonly json?: boolean;
  readonly out: string;
  readonly suite?: string;
  readonly to?: string;
}

export function addCompare(program: Command, context: CommandContext): void {
  program
    .command("compare")
    .description("two or more runs beside each other, with intervals of the differences from the first")
    .argument(
      "<a>",
      "id, the beginning of one, or a run directory; repeats of one side joined by commas; a study's directory alone: its conditions",
      sideOf,
    )
    .argument("[b...]", "the same, for each further side", moreSides)
    .option("--format <kind>", FORMATS.join(", "), oneOf(FORMATS), "text")
    .option("--json", "the same as --format json")
    .option("--suite <name>", "of a study's directory: the suite whose conditions are compared")
    .option("--out <dir>", "folder of the run directories", DEFAULT_OUT)
    .option("--to <file>", "of html: the file to write; - is stdout")
    .action((a: string[], others: string[][] | undefined, flags: CompareFlags) =>
      context.finish(compare([a, ...(others ?? [])], flags, context)),
    );
}

function sideOf(text: string): string[] {
  const names = text.split(",").map((name) => name.trim());
  if (names.some((name) => name === ""))
    throw new InvalidArgumentError("A name between two commas is missing.");
  return names;
}

function moreSides(text: string, before: string[][] | undefined): string[][] {
  const sides = [...(before ?? []), sideOf(text)];
  if (sides.length >= MOST_SIDES)
    throw new InvalidArgumentError(`More than ${MOST_SIDES} sides fit no screen.`);
  return sides;
}

async function compare(
  named: readonly (readonly string[])[],
  flags: CompareFlags,
  context: CommandContext,
): Promise<number> {
  const { terminal } = context;
  try {
    const { out, suite } = flags;
    const sides = await readSides({ named, out, suite });
    if (flags.format === "html") {
      await writePage(comparisonData(sides), { to: flags.to, beside: "comparison.html" }, terminal);
    } else await tell(sides, flags, terminal);
    return EXIT.ok;
  } catch (error) {
    if (!(error instanceof LoadError && UNREADABLE.has(error.code))) throw error;
    terminal.say(describeError(error, context).text);
    return EXIT.planInvalid;
  }
}

/** A side that cannot be read is an input that cannot be, as a plan is: 104. */
const UNREADABLE: ReadonlySet<LoadErrorCode> = new Set(["RESULTS_UNREADABLE", "RUN_UNKNOWN"]);

async function tell(sides: readonly Side[], flags: CompareFlags, terminal: Terminal): Promise<void> {
  const comparison = compareRuns(sides);
  const { stdout } = terminal;
  const isJson = flags.json === true || flags.format === "json";
  await terminal.print(
    isJson
      ? JSON.stringify(comparison, null, 2)
      : renderComparison(comparison, { width: stdout.width(), colour: stdout.colour }),
  );
}
