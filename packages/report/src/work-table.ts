import type { RunReport, WorkReport } from "@tokenstorm/core";
import { printable } from "./columns.js";
import type { Paint } from "./paint.js";
import { type Column, type ColumnGroup, renderTables } from "./table.js";
import { formatCount, formatNumber, formatShare, formatUs } from "./units.js";

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
    ...(work.some(({ latencyUs }) => latencyUs !== undefined) ? latencyColumns(column) : []),
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

/** As of a level: TTFT of those that got a first token, E2E of those that completed. */
function latencyColumns(column: (title: string, cell: (one: WorkReport) => string) => Column): ColumnGroup[] {
  const time = (metric: "ttft" | "e2e", stat: "p50" | "p99") =>
    column(stat, ({ latencyUs }) => {
      const us = latencyUs?.[metric][stat] ?? null;
      return us === null ? "-" : formatUs(us);
    });
  return [
    { title: "TTFT", columns: [time("ttft", "p50"), time("ttft", "p99")] },
    { title: "E2E", columns: [time("e2e", "p50"), time("e2e", "p99")] },
  ];
}

function orDash(value: number | null): string {
  // Nothing of a kind is a dash too: no images, none found in a cache.
  return value === null || value === 0 ? "-" : formatNumber(value);
}
