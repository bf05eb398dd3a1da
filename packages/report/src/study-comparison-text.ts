import type { ConditionFigure, LevelMetric, StudyComparison } from "@tokenstorm/core";
import { printable, wrap } from "./columns.js";
import type { Paint } from "./paint.js";
import { type Column, renderTables } from "./table.js";
import { formatNumber, formatPercent, formatUs } from "./units.js";

const TITLES: Partial<Record<LevelMetric, string>> = {
  totalTokensPerS: "prompt + output tok/s",
  outputTokensPerS: "output tok/s",
  e2eP99Us: "E2E p99",
  ttftP50Us: "TTFT p50",
  tpotP50Us: "TPOT p50",
};

/** Two conditions level by level: b against a. */
export function renderComparison(
  { a, b, differs, spread, levels }: StudyComparison,
  look: { readonly width: number; readonly paint: Paint },
): string[] {
  const title = `${b} against ${a}: difference of the means, and its 95 % interval (Welch)`;
  const isTold = levels.some(({ figures }) => figures.some(({ differencePct }) => differencePct !== null));
  if (!isTold)
    return wrap(printable(`${b} against ${a}: one of the two has no run yet`), {
      width: look.width,
      indent: 2,
    });
  const metrics = levels[0]?.figures.map(({ metric }) => metric) ?? [];
  return [
    ...wrap(printable(title), { width: look.width, indent: 2 }),
    ...differing(differs).flatMap((text) => wrap(printable(text), { width: look.width, indent: 2 })),
    ...wrap(printable(`- ${spread.sentence}`), { width: look.width, indent: 2 }),
    ...metrics.flatMap((metric) => {
      const rows = levels.flatMap(({ level, figures }) => {
        const figure = figures.find((one) => one.metric === metric);
        return figure === undefined || figure.differencePct === null ? [] : [{ level, figure }];
      });
      return rows.length === 0 ? [] : table(TITLES[metric] ?? metric, rows, look);
    }),
  ];
}

/** A difference can be put down to one thing only where one thing differs. */
function differing(differs: StudyComparison["differs"]): string[] {
  const told = differs.map(({ fact, a, b }) => `${fact} ${a} / ${b}`).join(", ");
  if (differs.length === 0) return ["- no stated fact of the two differs"];
  const several = differs.length > 1 ? "; with more than one, a difference is that of all together" : "";
  return [`- they differ in ${told}${several}`];
}

function table(
  title: string,
  rows: readonly { readonly level: string; readonly figure: ConditionFigure }[],
  look: { readonly width: number; readonly paint: Paint },
): string[] {
  const column = (name: string, of: (figure: ConditionFigure) => string): Column => ({
    title: name,
    cells: rows.map(({ figure }) => of(figure)),
  });
  const first: Column = { title: "level", cells: rows.map(({ level }) => printable(level)) };
  const interval = ({ interval95Pct: one }: ConditionFigure) =>
    one === null ? "-" : `${formatPercent(one.low)} to ${formatPercent(one.high)}`;
  const groups = [
    {
      title,
      columns: [
        column("a", ({ metric, a }) => value(metric, a.mean)),
        column("b", ({ metric, b }) => value(metric, b.mean)),
        column("diff", ({ differencePct }) => formatPercent(differencePct)),
        column("interval", interval),
      ],
    },
    {
      title: "",
      columns: [{ ...column("", ({ sentence }) => sentence), align: "left" as const }],
      optional: true,
    },
  ];
  return renderTables(first, groups, look);
}

function value(metric: LevelMetric, of: number | null): string {
  if (of === null) return "-";
  return metric.endsWith("Us") ? formatUs(of) : formatNumber(of);
}
