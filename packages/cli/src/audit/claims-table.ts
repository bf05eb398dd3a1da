import type { ClaimedRow, Figure } from "@tokenstorm/core";
import { type Decimal, isBlank, readCell } from "./cells.js";
import { type ColumnChoice, type Mapping, mapColumns, mappingText } from "./column-mapping.js";
import { parseCsv } from "./csv.js";
import { type Field, isPercentile } from "./fields.js";
import { type ClaimedResults, ResultsProblem } from "./results-problem.js";

export interface TableOptions {
  readonly columns: readonly ColumnChoice[];
  readonly ignore: readonly string[];
  readonly decimal: Decimal | undefined;
}

const MOST_ROWS = 10_000;
const MOST_PROBLEMS = 20;

/** Reads a delimited table. Throws a ResultsProblem with everything that is wrong with it. */
export function claimsFromTable(text: string, options: TableOptions): ClaimedResults {
  const { delimiter, records } = parseTable(text);
  const [header, ...body] = records;
  if (header === undefined) throw new ResultsProblem(["it is empty"]);
  const mapping = mapColumns(header.cells, options.columns, options.ignore);
  const problems = [...mapping.problems, ...missingColumns(mapping)];
  if (body.length === 0) problems.push("it has a header and no rows");
  if (body.length > MOST_ROWS) problems.push(`it has ${body.length} rows, more than ${MOST_ROWS}`);
  if (problems.length > 0) throw new ResultsProblem(problems.slice(0, MOST_PROBLEMS));
  const rules = {
    decimal: options.decimal ?? "point",
    refuseComma: options.decimal === undefined && delimiter === ";",
  } as const;
  const rows = body.map(({ line, cells }, at) => {
    if (cells.length !== header.cells.length) {
      problems.push(`line ${line}: ${cells.length} cells under ${header.cells.length} columns`);
    }
    const figures = new Map<Field, Figure>();
    for (const column of mapping.columns) {
      const cell = cells[column.index] ?? "";
      if (column.field === "label" || column.field === "group" || isBlank(cell)) continue;
      const read = readCell(cell, column, rules);
      if (typeof read === "string")
        problems.push(`line ${line}, "${column.header.trim()}": "${cell.trim()}" ${read}`);
      else figures.set(column.field, read);
    }
    const textOf = (field: Field) =>
      cells[mapping.columns.find((one) => one.field === field)?.index ?? -1]?.trim();
    return claimedRow(figures, { label: textOf("label"), group: textOf("group"), number: at + 1 });
  });
  if (problems.length > 0) throw new ResultsProblem(problems.slice(0, MOST_PROBLEMS));
  return {
    form: `table separated by ${NAMES[delimiter]}`,
    rows,
    mapping: mappingText(mapping.columns),
    unused: mapping.unused,
  };
}

const NAMES = { ",": "commas", ";": "semicolons", "\t": "tabs" } as const;

function parseTable(text: string): ReturnType<typeof parseCsv> {
  try {
    return parseCsv(text);
  } catch (cause) {
    throw new ResultsProblem([cause instanceof Error ? cause.message : String(cause)]);
  }
}

/** A label to judge, and one number at least that speaks of it. */
function missingColumns({ columns, problems }: Mapping): string[] {
  // An unsettled column may be the one that seems to be missing.
  if (problems.length > 0) return [];
  const has = (test: (field: Field) => boolean) => columns.some((column) => test(column.field));
  if (!has((field) => field === "concurrency")) {
    return ["no column is the claimed concurrency: say --columns concurrency=NAME"];
  }
  const speaks = (field: Field) => field !== "label" && field !== "group" && field !== "concurrency";
  return has(speaks)
    ? []
    : ["beside the concurrency no column is one that the audit can use: say --columns FIELD=NAME"];
}

function claimedRow(
  figures: ReadonlyMap<Field, Figure>,
  names: { readonly label: string | undefined; readonly group: string | undefined; readonly number: number },
): ClaimedRow {
  const count = (field: Field): number | undefined => figures.get(field)?.value;
  const concurrency = count("concurrency");
  const percentiles = [...figures]
    .filter(([field]) => isPercentile(field))
    .map(([field, value]) => ({ percentile: Number(field.slice(1)), value }))
    .sort((a, b) => a.percentile - b.percentile);
  const fallback = concurrency === undefined ? `row ${names.number}` : `c=${concurrency}`;
  return {
    label: names.label === undefined || names.label === "" ? fallback : names.label,
    group: names.group === "" ? undefined : names.group,
    concurrency,
    requests: count("requests"),
    completed: count("completed"),
    failed: count("failed"),
    peakInFlight: count("peak"),
    successShare: figures.get("success"),
    requestsPerS: figures.get("req_s"),
    outputTokensPerS: figures.get("output_tok_s"),
    totalTokensPerS: figures.get("total_tok_s"),
    outputTokensPerRequest: figures.get("output_tokens"),
    totalTokensPerRequest: figures.get("total_tokens"),
    durationS: figures.get("duration"),
    latencyS: { mean: figures.get("mean"), min: figures.get("min"), max: figures.get("max"), percentiles },
  };
}
