import { auditResults, type ClaimedRow } from "@tokenstorm/core";
import { renderAudit } from "@tokenstorm/report";
import { type Command, InvalidArgumentError } from "commander";
import { DECIMALS, type Decimal } from "../audit/cells.js";
import { type ColumnChoice, parseColumnChoices } from "../audit/column-mapping.js";
import { readResults } from "../audit/read-results.js";
import type { CommandContext } from "../context.js";
import { EXIT } from "../exit-codes.js";
import { oneOf } from "../parse-arguments.js";

interface AuditFlags {
  readonly columns?: readonly ColumnChoice[];
  readonly ignore?: readonly string[];
  readonly decimal?: Decimal;
  readonly sameWork?: boolean;
  readonly strict?: boolean;
  readonly json?: boolean;
}

const HELP = `
FILE is a table (csv; commas, semicolons or tabs), the JSON of vllm bench serve (--save-result; several
as an array or one a line), or a report of ours (report --json). A row claims a concurrency and gives what it has
of: requests sent, completed, failed, success, requests/s, tokens/s and tokens per request, duration, the
mean or percentiles of the end-to-end latency, and the most that were in flight.

Columns are found by names that say their unit, such as p99_latency_s or "Mean E2E (ms)". A name that could
mean two things is refused until --columns or --ignore settles it; how each column was read is printed.
  --columns concurrency=Users,latency=e2e_ms,p99="slowest 1%:s"
Fields: label, group, concurrency, requests, completed, failed, success (%|share), duration, req_s,
output_tok_s, total_tok_s, output_tokens and total_tokens (of a request), peak, latency (the mean), min, max, p50, ...

Exit codes: 0 nothing is contradicted; 110 a row is contradicted: its numbers may be right, but they are not those of
the concurrency that it names, so the result is invalid as labelled - the code of an invalid run; with --strict also
where a row is not steady; 2 wrong use; 1 the file cannot be read.`;

export function addAudit(program: Command, context: CommandContext): void {
  program
    .command("audit")
    .description("say which rows of a results table cannot have had the concurrency that they claim")
    .argument("<file>", "csv, vllm bench serve JSON or a tokenstorm report; - is stdin")
    .option("--columns <field=column,...>", "which column is what, and its unit: p99=slow:s", columns)
    .option("--ignore <column>", "a column to leave alone; may be repeated", append)
    .option("--decimal <kind>", `how decimals are written: ${DECIMALS.join(", ")}`, oneOf(DECIMALS))
    .option(
      "--same-work",
      "all rows (of a group) asked the same tokens of each request: compare them with each other",
    )
    .option("--strict", "exit 110 also where a row is not steady")
    .option("--json", "the audit as JSON")
    .addHelpText("after", HELP)
    .action((file: string, flags: AuditFlags) => context.finish(audit(file, flags, context)));
}

async function audit(file: string, flags: AuditFlags, { terminal }: CommandContext): Promise<number> {
  const { columns = [], ignore = [], decimal } = flags;
  const results = await readResults(file, { columns, ignore, decimal });
  const report = auditResults(results.rows.map((row) => grouped(row, flags.sameWork === true)));
  const source = {
    name: file === "-" ? "stdin" : file,
    form: results.form,
    mapping: results.mapping,
    unused: results.unused,
  };
  const { stdout } = terminal;
  await terminal.print(
    flags.json === true
      ? JSON.stringify({ ...report, source }, null, 2)
      : renderAudit(report, source, { width: stdout.width(), colour: stdout.colour }),
  );
  const isInvalid = report.contradicted > 0 || (flags.strict === true && report.notSteady > 0);
  return isInvalid ? EXIT.resultInvalid : EXIT.ok;
}

/** Rows are compared with each other only where the user says that they did the same work. */
function grouped(row: ClaimedRow, isSameWork: boolean): ClaimedRow {
  return { ...row, group: isSameWork ? (row.group ?? "") : undefined };
}

function columns(text: string, before: readonly ColumnChoice[] = []): readonly ColumnChoice[] {
  try {
    return [...before, ...parseColumnChoices(text)];
  } catch (cause) {
    throw new InvalidArgumentError(cause instanceof Error ? cause.message : String(cause));
  }
}

const append = (text: string, before: readonly string[] = []): readonly string[] => [...before, text];
