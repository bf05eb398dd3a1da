import {
  type AuditedRow,
  type AuditReport,
  FINDING_KINDS,
  type Finding,
  type FindingKind,
} from "@tokenstorm/core";
import { printable, truncate, wrap } from "./columns.js";
import { type Paint, paint } from "./paint.js";
import { type ColumnGroup, renderTables } from "./table.js";
import { formatCount, formatNumber, formatShare, formatUs, plural } from "./units.js";

export interface AuditSource {
  /** The file, as a person named it. */
  readonly name: string;
  /** `table separated by commas`. */
  readonly form: string;
  /** Which column was read as what. */
  readonly mapping: string;
  readonly unused: readonly string[];
}

export interface AuditTextOptions {
  readonly width: number;
  readonly colour: boolean;
}

const NARROWEST = 40;
/** Width of the words at the left edge below the table. */
const LABEL = 13;

const WORDS: Readonly<Record<AuditedRow["status"], string>> = {
  impossible: "impossible",
  "at-most": "at most",
  "not-steady": "not steady",
  "cannot-judge": "cannot judge",
  consistent: "consistent",
};

/** The audit as people read it: the outcome, a line for each row, the findings as sentences, how the file was read. */
export function renderAudit(audit: AuditReport, source: AuditSource, options: AuditTextOptions): string {
  const width = Math.max(NARROWEST, options.width);
  const colours = paint(options.colour);
  const lines = [
    ...outcome(audit, width, colours),
    "",
    ...rowTable(audit.rows, width, colours),
    ...findings(audit.rows, width, colours),
    "",
    ...fact(
      "read",
      `${printable(source.name)}, ${source.form}, ${plural(audit.rows.length, "row")}`,
      width,
      colours,
    ),
    ...fact("columns", printable(source.mapping), width, colours),
    ...(source.unused.length === 0 ? [] : fact("not used", unusedText(source.unused), width, colours)),
    ...meanings(audit).flatMap(([word, text]) => fact(word, text, width, colours)),
  ];
  return lines.map((line) => truncate(line, width).trimEnd()).join("\n");
}

const sayPercent = (share: number): string => `${Math.round(share * 100)}%`;

/** What the words of the table mean, with their limits; those alone that it has. */
function meanings({ limits, rows }: AuditReport): [string, string][] {
  const held = sayPercent(limits.heldShare);
  const steady = sayPercent(limits.steadyShare);
  const texts: Readonly<Record<FindingKind, string>> = {
    impossible: "numbers of the row exclude each other, beyond rounding and the tolerance named",
    "at-most": `fewer than claimed could be in flight; or under ${held} of it on average, so that the row never had it or spent over a third of its time filling and draining: either way its figures are not those of that concurrency`,
    "not-steady": `under ${steady} on average, fewer than ${limits.fewestPerUser} requests for each user, or a run shorter than ${limits.fewestPerUser} of its latencies`,
    "cannot-judge": "what would be needed is not in the table",
  };
  const found = new Set(rows.flatMap((row) => row.findings.map((finding) => finding.kind)));
  const told = FINDING_KINDS.filter((kind) => found.has(kind));
  return [
    ...told.map((kind): [string, string] => [WORDS[kind], texts[kind]]),
    ["rounding", "a printed figure counts as anything that rounds to it; docs/audit.md has every rule"],
  ];
}

const unusedText = (headers: readonly string[]): string =>
  headers.map((header) => `"${printable(header.trim())}"`).join(", ");

function outcome(audit: AuditReport, width: number, colours: Paint): string[] {
  const total = plural(audit.rows.length, "row");
  const rest = [
    ...(audit.notSteady > 0 ? [`${formatCount(audit.notSteady)} not steady`] : []),
    ...(audit.cannotJudge > 0 ? [`${formatCount(audit.cannotJudge)} cannot be judged`] : []),
  ];
  const others = rest.length === 0 ? "" : ` Of the others, ${rest.join(" and ")}.`;
  const text =
    audit.contradicted > 0
      ? `CONTRADICTED. ${formatCount(audit.contradicted)} of ${total} cannot have had what they claim.${others}`
      : `NOTHING CONTRADICTED in ${total}.${rest.length === 0 ? "" : ` ${capital(rest.join(", "))}.`}`;
  const colour = audit.contradicted > 0 ? colours.red : rest.length > 0 ? colours.yellow : colours.green;
  return wrap(text, { width }).map((line) => colours.bold(colour(line)));
}

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

/** An upper bound is rounded up, so that it stays one. */
function formatBound(value: number): string {
  const digits = value < 10 ? 100 : 10;
  return formatNumber(Math.ceil(value * digits) / digits);
}

function rowTable(rows: readonly AuditedRow[], width: number, colours: Paint): string[] {
  const cell = (value: number | null, format: (value: number) => string) =>
    value === null || !Number.isFinite(value) ? "-" : format(value);
  const column = (title: string, cells: (row: AuditedRow) => string) => ({ title, cells: rows.map(cells) });
  const groups: ColumnGroup[] = [
    {
      title: "claimed",
      columns: [
        column("in flight", (row) => cell(row.claimed, formatCount)),
        column("requests", (row) => cell(row.requests, formatCount)),
      ],
    },
    {
      title: "allowed at most",
      columns: [
        column("at once", (row) => cell(row.atMost, formatCount)),
        column("mean", (row) => cell(row.meanAtMost, formatBound)),
      ],
    },
    {
      title: "finding",
      columns: [{ ...column("", (row) => statusCell(row, colours)), align: "left" }],
    },
    {
      title: "requests",
      optional: true,
      columns: [column("per user", (row) => cell(row.requestsPerUser, formatNumber))],
    },
    {
      title: "success",
      optional: true,
      columns: [
        column("share", (row) => cell(row.success.share, formatShare)),
        column("at 95%", (row) => cell(row.success.lower95, (lower) => `>=${formatShare(lower)}`)),
      ],
    },
    {
      title: "run",
      optional: true,
      columns: [
        column("length", (row) => cell(row.durationS, (seconds) => formatUs(seconds * 1e6))),
        column("X W", (row) => cell(row.littleMean, formatNumber)),
      ],
    },
  ];
  const shown = groups.filter((group) => group.columns.some((one) => one.cells.some((text) => text !== "-")));
  const first = { title: "row", cells: rows.map((row) => printable(row.label)) };
  return renderTables(first, shown, { width, paint: colours });
}

function colourOf(status: AuditedRow["status"], colours: Paint): (text: string) => string {
  const byStatus: Readonly<Record<AuditedRow["status"], (text: string) => string>> = {
    impossible: colours.red,
    "at-most": colours.red,
    "not-steady": colours.yellow,
    "cannot-judge": colours.yellow,
    consistent: colours.green,
  };
  return byStatus[status];
}

const statusCell = (row: AuditedRow, colours: Paint): string =>
  colourOf(row.status, colours)(WORDS[row.status]);

/** Labels that stand before a sentence that holds for several rows; the table shows each row's finding. */
const MOST_LABELS = 6;

/** The sentences, the contradicted rows first. What holds for several rows in the same words is said once. */
function findings(rows: readonly AuditedRow[], width: number, colours: Paint): string[] {
  const ordered = [...rows.filter((row) => row.isContradicted), ...rows.filter((row) => !row.isContradicted)];
  const told = new Map<string, { readonly finding: Finding; readonly labels: string[] }>();
  for (const row of ordered) {
    for (const finding of row.findings) {
      const known = told.get(`${finding.kind} ${finding.sentence}`);
      if (known !== undefined) known.labels.push(row.label);
      else told.set(`${finding.kind} ${finding.sentence}`, { finding, labels: [row.label] });
    }
  }
  const lines = [...told.values()].flatMap(({ finding, labels }) => {
    const text = `${labelsText(labels)}: ${WORDS[finding.kind]}: ${printable(finding.sentence)}.`;
    return wrap(text, { width, indent: 2 }).map(colourOf(finding.kind, colours));
  });
  return lines.length === 0 ? [] : ["", ...lines];
}

function labelsText(labels: readonly string[]): string {
  const more = labels.length - MOST_LABELS;
  const shown = labels.slice(0, more > 0 ? MOST_LABELS : labels.length).map(printable);
  return more > 0 ? `${shown.join(", ")} and ${plural(more, "more row")}` : shown.join(", ");
}

function fact(label: string, text: string, width: number, colours: Paint): string[] {
  return wrap(text, { width: width - LABEL }).map(
    (line, at) => (at === 0 ? colours.dim(label.padEnd(LABEL)) : " ".repeat(LABEL)) + line,
  );
}
