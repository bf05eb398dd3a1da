import type { CheckResult, ConformanceReport } from "@tokenstorm/core";
import { printable, truncate, wrap } from "./columns.js";
import { type Paint, paint } from "./paint.js";
import { formatCount, plural } from "./units.js";

export interface ConformanceTextOptions {
  readonly width: number;
  readonly colour: boolean;
}

const NARROWEST = 40;
const LABEL = 11;
const MOST_NAMED = 6;

/** What came of the checks: one sentence, each failure with what was expected and seen, and what was not checked. */
export function renderConformance(report: ConformanceReport, options: ConformanceTextOptions): string {
  const width = Math.max(NARROWEST, options.width);
  const colours = paint(options.colour);
  const of = (outcome: CheckResult["outcome"]) => report.checks.filter((check) => check.outcome === outcome);
  const version =
    report.serverVersion === null ? "a version that it does not tell" : `version ${report.serverVersion}`;
  const lines = [
    ...outcome(report, width, colours),
    ...of("failed").flatMap((check) => ["", ...failure(check, width, colours)]),
    "",
    ...of("skipped").flatMap(({ id, seen }) =>
      labelled("skipped", `${id}: ${seen}`, { width, colour: colours.yellow }),
    ),
    ...groups(of("passed")).flatMap((text) => labelled("passed", text, { width, colour: colours.green })),
    ...labelled("server", `${report.url}, ${report.model}, ${version}`, { width, colour: colours.dim }),
    ...labelled("contract", "docs/conformance.md", { width, colour: colours.dim }),
  ];
  return lines.map((line) => truncate(line, width).trimEnd()).join("\n");
}

function outcome({ counts, checks }: ConformanceReport, width: number, colours: Paint): string[] {
  const { passed, failed, skipped } = counts;
  const rest = skipped > 0 ? ` ${plural(skipped, "check")} ${skipped === 1 ? "was" : "were"} skipped.` : "";
  const names = checks.filter((check) => check.outcome === "failed").map(({ id }) => id);
  const more = names.length - MOST_NAMED;
  const named =
    more > 0 ? `${names.slice(0, MOST_NAMED).join(", ")} and ${formatCount(more)} more` : names.join(", ");
  const text =
    failed > 0
      ? `DOES NOT CONFORM: ${formatCount(failed)} of ${plural(passed + failed, "check")} failed: ${named}.${rest}`
      : `CONFORMS: ${plural(passed, "check")} passed.${rest}`;
  const colour = failed > 0 ? colours.red : skipped > 0 ? colours.yellow : colours.green;
  return wrap(text, { width }).map((line) => colours.bold(colour(line)));
}

function failure(
  { id, seen, expects, contract, evidence }: CheckResult,
  width: number,
  colours: Paint,
): string[] {
  return [
    ...labelled("failed", `${id}: ${seen}`, { width, colour: colours.red }),
    ...labelled("expected", expects, { width, colour: colours.dim }),
    ...labelled("contract", `docs/conformance.md, ${contract}`, { width, colour: colours.dim }),
    ...(evidence === null ? [] : labelled("bytes", evidence, { width, colour: colours.dim })),
  ];
}

/** `chat-stream: head, framing, ...`: one text for each group. */
function groups(checks: readonly CheckResult[]): string[] {
  const byGroup = new Map<string, string[]>();
  for (const { id } of checks) {
    const [group = "", name = ""] = id.split(".");
    byGroup.set(group, [...(byGroup.get(group) ?? []), name]);
  }
  return [...byGroup].map(([group, names]) => `${group}: ${names.join(", ")}`);
}

function labelled(
  label: string,
  text: string,
  { width, colour }: { readonly width: number; readonly colour: (text: string) => string },
): string[] {
  return wrap(printable(text), { width: width - LABEL }).map(
    (line, at) => (at === 0 ? colour(`  ${label}`.padEnd(LABEL)) : " ".repeat(LABEL)) + line,
  );
}
