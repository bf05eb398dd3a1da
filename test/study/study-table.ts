import { MULTI_RUN_FITS, profiles } from "@tokenstorm/simulator";
import { type ComparedRow, runCompatible } from "./compatible.js";
import { WHAT_IT_SHOWS } from "./compatible-checks.js";
import { type Published, readPublished } from "./data.js";
import { errorOf, errorText, type GroupError } from "./errors.js";
import { type ForetoldRow, foretell } from "./predicted.js";

/** All that the compatible study in virtual time found. */
export interface StudyResult {
  readonly schema: "tokenstorm-study-virtual/1";
  readonly whatItShows: string;
  /** By the step times that were fitted to all rows, with the real client. */
  readonly rows: readonly ComparedRow[];
  readonly errors: Readonly<Record<string, GroupError>>;
  /** By step times fitted to the multi-run rows alone. */
  readonly foretold: readonly ForetoldRow[];
  readonly foretoldErrors: { readonly calibrated: GroupError; readonly predicted: GroupError };
  /** Published without a table: there is nothing to reproduce. */
  readonly headlines: readonly { readonly model: string; readonly totalTokensPerS: number }[];
}

/** Runs it all; tells of each series when it is done. */
export async function runStudy(onSeries: (text: string) => void = () => undefined): Promise<StudyResult> {
  const published = readPublished();
  const rows: ComparedRow[] = [];
  for (const series of published.series) {
    const found = await runCompatible(series, 1);
    rows.push(...found.rows);
    onSeries(`${series.id}: ${errorText(errorOf(found.rows))}`);
  }
  const foretold = foretell(published);
  const by = (basis: "calibrated" | "predicted") => errorOf(foretold.filter((row) => row.basis === basis));
  return {
    schema: "tokenstorm-study-virtual/1",
    whatItShows: WHAT_IT_SHOWS,
    rows,
    errors: Object.fromEntries(
      Object.keys(profiles).map((name) => [name, errorOf(rows.filter(({ model }) => model === name))]),
    ),
    foretold,
    foretoldErrors: { calibrated: by("calibrated"), predicted: by("predicted") },
    headlines: headlinesWithoutTable(published),
  };
}

/** Peaks of the abstract whose stress table was not published. */
function headlinesWithoutTable({ headline, series }: Published): StudyResult["headlines"] {
  return headline.peaks
    .filter(({ model }) => !series.some((one) => one.model === model && one.suite === "stress-testing"))
    .map(({ model, total_tok_s }) => ({ model, totalTokensPerS: total_tok_s }));
}

const HEAD =
  "| level | requests | in flight (mean / most) | total tok/s: ours | published | off | p99 s: ours | published | off | row | level by the study's rule |";

/** As a page of Markdown: every row, the errors, and what it is evidence of. */
export function studyMarkdown(result: StudyResult): string {
  const ids = [...new Set(result.rows.map(({ series }) => series))];
  const tables = ids.map((id) => {
    const rows = result.rows.filter(({ series }) => series === id);
    return [`### ${id}`, "", HEAD, HEAD.replace(/[^|]+/g, "---"), ...rows.map(rowText), ""].join("\n");
  });
  return [
    result.whatItShows,
    "",
    "Errors over throughput and p99, by model:",
    "",
    ...Object.entries(result.errors).map(([name, error]) => `- ${name}: ${errorText(error)}`),
    "",
    "All these rows are *calibrated*: the step times were fitted to them. Fitted to the multi-run rows alone, the step times of " +
      `Llama and Qwen meet those with ${errorText(result.foretoldErrors.calibrated)}, and foretell scaling and saturation with ` +
      `${errorText(result.foretoldErrors.predicted)}:`,
    "",
    ...Object.values(MULTI_RUN_FITS).flatMap(({ provenance }) =>
      provenance.predicts.flatMap((id) => foretoldText(result, id)),
    ),
    "",
    "Headlines without a table, shown and not reproduced: " +
      `${result.headlines.map(({ model, totalTokensPerS }) => `${model} ${totalTokensPerS.toLocaleString("en-US")} tok/s`).join(", ")}.`,
    "",
    ...tables,
  ].join("\n");
}

function rowText(row: ComparedRow): string {
  const { level, requests, inFlight, totalTokensPerS: rate, p99S: p99, basis, status } = row;
  const cells = [
    level,
    requests,
    `${inFlight.mean.toFixed(1)} / ${inFlight.max}`,
    rate.ours.toFixed(0),
    rate.published,
    percent(rate.differencePct),
    p99.ours.toFixed(2),
    p99.published,
    percent(p99.differencePct),
    basis,
    status === "SATURATED" ? status : "not SATURATED",
  ];
  return `| ${cells.join(" | ")} |`;
}

function foretoldText({ foretold }: StudyResult, id: string): string[] {
  const rows = foretold.filter(({ series }) => series === id);
  if (rows.length === 0) return [];
  const each = rows.map((row) => `${row.level}: ${percent(row.totalTokensPerS.differencePct)}`);
  return [`- ${id}: ${errorText(errorOf(rows))}; tok/s by level ${each.join(", ")}`];
}

const percent = (value: number): string => `${value < 0 ? "-" : "+"}${Math.abs(value).toFixed(1)} %`;
