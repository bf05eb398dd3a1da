import { displayWidth, padEnd, padStart, truncate } from "./columns.js";
import type { Paint } from "./paint.js";

export interface Column {
  readonly title: string;
  readonly align?: "left" | "right";
  /** One cell for each row; may be coloured. */
  readonly cells: readonly string[];
}

/** Columns that belong together, under a heading of their own. */
export interface ColumnGroup {
  readonly title: string;
  readonly columns: readonly Column[];
  /** Shown only where there is room for it. */
  readonly optional?: boolean;
}

const BETWEEN_GROUPS = 2;
const NARROWEST_FIRST = 4;

const columnWidth = (column: Column): number =>
  Math.max(displayWidth(column.title), ...column.cells.map(displayWidth));

function groupWidth(group: ColumnGroup): number {
  const columns = group.columns.reduce((sum, column) => sum + columnWidth(column) + 1, -1);
  return Math.max(displayWidth(group.title), columns);
}

/**
 * Lays groups of columns side by side after the first column. Where a line has no room for all, the rest follows in
 * further tables that repeat the first column, so that nothing overflows and nothing asked for is left out.
 */
export function renderTables(
  first: Column,
  groups: readonly ColumnGroup[],
  options: { readonly width: number; readonly paint: Paint },
): string[] {
  const tables: ColumnGroup[][] = [[]];
  const firstWidth = Math.min(columnWidth(first), Math.max(NARROWEST_FIRST, options.width - widest(groups)));
  const room = options.width - firstWidth;
  let used = 0;
  const ordered = [...groups.filter((group) => !group.optional), ...groups.filter((group) => group.optional)];
  for (const group of ordered) {
    const width = groupWidth(group) + BETWEEN_GROUPS;
    if (used + width > room && group.optional) continue;
    if (used + width > room && used > 0) {
      tables.push([]);
      used = 0;
    }
    tables.at(-1)?.push(group);
    used += width;
  }
  const lines: string[] = [];
  for (const table of tables) {
    if (lines.length > 0) lines.push("");
    lines.push(...renderOne({ ...first, align: first.align ?? "left" }, table, { ...options, firstWidth }));
  }
  return lines;
}

const widest = (groups: readonly ColumnGroup[]): number =>
  Math.max(0, ...groups.filter((group) => !group.optional).map(groupWidth)) + BETWEEN_GROUPS;

function renderOne(
  first: Column,
  groups: readonly ColumnGroup[],
  options: { readonly width: number; readonly firstWidth: number; readonly paint: Paint },
): string[] {
  const { width, firstWidth } = options;
  const gap = " ".repeat(BETWEEN_GROUPS);
  const line = (head: string, cellOf: (group: ColumnGroup) => string) =>
    truncate(
      [padEnd(truncate(head, firstWidth), firstWidth), ...groups.map(cellOf)].join(gap).trimEnd(),
      width,
    );
  const dim = (text: string) => (text === "" ? text : options.paint.dim(text));
  const lines: string[] = [];
  if (groups.some((group) => group.title !== "")) {
    lines.push(dim(line("", (group) => padStart(group.title, groupWidth(group)))));
  }
  lines.push(dim(line(first.title, (group) => cells(group, (column) => column.title))));
  for (let row = 0; row < first.cells.length; row += 1) {
    lines.push(line(first.cells[row] ?? "", (group) => cells(group, (column) => column.cells[row] ?? "")));
  }
  return lines;
}

/** A group's cells of one line, moved to the right edge of its heading where that is wider. */
function cells(group: ColumnGroup, cellOf: (column: Column) => string): string {
  const parts = group.columns.map((column) =>
    (column.align === "left" ? padEnd : padStart)(cellOf(column), columnWidth(column)),
  );
  const isLeft = group.columns.every((column) => column.align === "left");
  return (isLeft ? padEnd : padStart)(parts.join(" "), groupWidth(group));
}
