import type { RunReport, WorkReport } from "@tokenstorm/core";
import { printable } from "./columns.js";
import type { Paint } from "./paint.js";
import { type Column, type ColumnGroup, renderTables } from "./table.js";
import { formatCount, formatNumber, formatShare } from "./units.js";

/**
 * What each member of a mixture, or a workload with images, asked for beside what was measured, of the last level that
 * has any; nothing for text alone, whose lengths stand below.
 */
export function renderWork(
  stages: RunReport["stages"],
  options: { readonly width: number; readonly paint: Paint },
): string[] {
  const stage = stages.findLast(({ work }) => (work ?? []).length > 0);
  const work = stage?.work ?? [];
  if (stage === undefined) return [];
  const first: Column = {
    title: `workload, ${printable(stage.name)}`,
    cells: work.map(({ name }) => printable(name)),
  };
  const column = (title: string, cell: (one: WorkReport) => string): Column => ({
    title,
    cells: work.map(cell),
  });
  const number = (title: string, of: (one: WorkReport) => number | null) =>
    column(title, (one) => orDash(of(one)));
  const groups: ColumnGroup[] = [
    {
      title: "requests",
      columns: [
        column("asked", ({ share }) => formatShare(share)),
        column("offered", ({ offered }) => formatCount(offered)),
        column("failed", ({ failed }) => formatCount(failed)),
      ],
    },
    {
      title: "prompt tokens",
      columns: [
        number("text asked", (one) => one.askedPromptMean),
        number("measured", (one) => one.promptMean),
        number("cached", (one) => one.cachedPromptMean),
      ],
    },
    {
      title: "output tokens",
      columns: [number("asked", (one) => one.askedOutputMean), number("measured", (one) => one.outputMean)],
    },
    ...(work.some(({ imagesMean }) => (imagesMean ?? 0) > 0) ? [imageColumns(number)] : []),
  ];
  return ["", ...renderTables(first, groups, options)];
}

function imageColumns(
  number: (title: string, of: (one: WorkReport) => number | null) => Column,
): ColumnGroup {
  return {
    title: "images",
    columns: [
      number("each", (one) => one.imagesMean),
      // A dash where the server counts them among the prompt's tokens without saying so.
      number("tokens", (one) => one.imageTokensEach),
    ],
  };
}

function orDash(value: number | null): string {
  // Nothing of a kind is a dash too: no images, none found in a cache.
  return value === null || value === 0 ? "-" : formatNumber(value);
}
