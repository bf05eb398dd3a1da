import type { DefinedValue, DefinitionsReport } from "@tokenstorm/core";
import { printable, truncate, wrap } from "./columns.js";
import { paint } from "./paint.js";
import { type Column, type ColumnGroup, renderTables } from "./table.js";
import { formatCount, formatNumber } from "./units.js";

const NARROWEST = 40;

const TITLES = {
  vllm: "in the definitions of vllm bench serve",
  study: "in the definitions of the reference study",
} as const;

/** Units of what comes in whole numbers. */
const COUNTED: ReadonlySet<string> = new Set(["requests", "tokens", "users"]);

type Level = DefinitionsReport["levels"][number];

/** A run in somebody else's definitions as people read it: figures first, then how each was made. No final newline. */
export function renderDefinitions(
  report: DefinitionsReport,
  options: { readonly width: number; readonly colour: boolean },
): string {
  const width = Math.max(NARROWEST, options.width);
  const colours = paint(options.colour);
  const put = (text: string, indent = 2) => wrap(printable(text), { width, indent });
  const lines = [
    ...put(`Run ${report.run} ${TITLES[report.definitions]}`).map(colours.bold),
    ...report.basis.flatMap((text) => put(`- ${text}`)),
    "",
    ...levelTables(report, { width, paint: colours }),
    ...unknowns(report.levels).flatMap((text) => put(text)),
    "",
    ...put("How each was made, and in what it may differ:", 0),
    ...explained(report).flatMap((text) => put(`- ${text}`)),
    "",
    ...put("Not recomputed:", 0),
    ...report.notRecomputed.flatMap(({ name, why }) => put(`- ${name}: ${why}`)),
  ];
  return lines.map((line) => truncate(line, width)).join("\n");
}

function levelTables(
  { figures, levels }: DefinitionsReport,
  options: { readonly width: number; readonly paint: ReturnType<typeof paint> },
): string[] {
  if (levels.length === 0) return ["No level was reached."];
  const first: Column = { title: "level", cells: levels.map(({ name }) => printable(name)) };
  const groups: ColumnGroup[] = figures.map(({ name, unit }) => ({
    title: "",
    columns: [{ title: titled(name, unit), cells: levels.map(({ values }) => cell(values[name], unit)) }],
  }));
  return renderTables(first, groups, options);
}

/** The unit stands in most names already. */
function titled(name: string, unit: string): string {
  return unit === "s" && !name.endsWith("_s") ? `${name} s` : name;
}

function cell(value: DefinedValue | undefined, unit: string): string {
  switch (value?.kind) {
    case undefined:
      return "-";
    case "unknown":
      return "?";
    case "word":
      return printable(value.word);
    case "value":
      return format(value.value, unit);
    case "between": {
      const [low, high] = [format(value.atLeast, unit), format(value.atMost, unit)];
      return low === high ? low : `${low}..${high}`;
    }
  }
}

function format(value: number, unit: string): string {
  if (unit === "share") return `${(Math.floor(value * 10_000) / 100).toFixed(2)}%`;
  return COUNTED.has(unit) ? formatCount(value) : formatNumber(value);
}

/** Figures of one kind are made alike: `mean_`, `median_` and `p99_` of one name are said once. */
function explained({ figures }: DefinitionsReport): string[] {
  const byText = new Map<string, string[]>();
  for (const { name, how, differs } of figures) {
    const text = `${how}${differs === null ? "" : ` (${differs})`}`;
    byText.set(text, [...(byText.get(text) ?? []), name]);
  }
  return [...byText].map(([text, names]) => `${names.join(", ")}: ${text}`);
}

/** Why a `?` stands where it does: each reason once, with the levels and figures that it is of. */
function unknowns(levels: readonly Level[]): string[] {
  const byReason = new Map<string, { levels: Set<string>; names: Set<string> }>();
  for (const { name: level, values } of levels) {
    for (const [name, value] of Object.entries(values)) {
      if (value.kind !== "unknown") continue;
      const found = byReason.get(value.why) ?? { levels: new Set(), names: new Set() };
      found.levels.add(level);
      found.names.add(name);
      byReason.set(value.why, found);
    }
  }
  return [...byReason].map(([why, found]) => {
    const where = found.levels.size === levels.length ? "" : ` of ${[...found.levels].join(", ")}`;
    return `? ${[...found.names].join(", ")}${where}: ${why}`;
  });
}
