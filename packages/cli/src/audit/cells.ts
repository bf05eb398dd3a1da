import { type Figure, printedFigure, scaled } from "@tokenstorm/core";
import { type Field, UNIT_FACTORS, type Unit } from "./fields.js";

/** How decimals are written: with a point, or with a comma. */
export const DECIMALS = ["point", "comma"] as const;
export type Decimal = (typeof DECIMALS)[number];

const NOTHING = new Set(["", "-", "–", "—", "n/a", "na", "null", "none"]);

/** True where a cell says that there is no value. */
export const isBlank = (cell: string): boolean => NOTHING.has(cell.trim().toLowerCase());

export interface NumberRules {
  readonly decimal: Decimal;
  /** In a file separated by semicolons `1,234` may be either; it is refused where nobody said which. */
  readonly refuseComma: boolean;
}

/** A cell's figure in the field's own unit, or what is wrong with it. */
export function readCell(
  cell: string,
  column: { readonly field: Field; readonly unit?: Unit | undefined },
  rules: NumberRules,
): Figure | string {
  const text = cell.trim();
  const isPercent = text.endsWith("%");
  const digits = plainDigits(isPercent ? text.slice(0, -1).trim() : text, rules);
  if (digits === undefined) return "may be a decimal or a thousand; say --decimal point or --decimal comma";
  const figure = printedFigure(digits);
  if (figure === undefined) return "is no number";
  if (figure.value < 0) return "is negative";
  const unit = isPercent ? "%" : column.unit;
  if (column.field === "success" && unit === undefined) {
    return "is a share or per cent? say --columns success=NAME:% or success=NAME:share";
  }
  if (isPercent && column.field !== "success") return "is a percentage";
  return checkField(unit === undefined ? figure : scaled(figure, UNIT_FACTORS[unit]), column.field);
}

const COUNTS: readonly Field[] = ["concurrency", "requests", "completed", "failed", "peak"];
const MAY_BE_ZERO: readonly Field[] = [
  "completed",
  "failed",
  "success",
  "req_s",
  "output_tok_s",
  "total_tok_s",
];
const MOST_COUNT = 1e12;

function checkField(figure: Figure, field: Field): Figure | string {
  if (figure.value === 0 && !MAY_BE_ZERO.includes(field)) return "is zero, which was not measured";
  if (!COUNTS.includes(field)) return { ...figure, low: Math.max(0, figure.low) };
  if (!Number.isInteger(figure.value) || figure.value > MOST_COUNT) return "is no count";
  return figure;
}

/** Digits with a decimal point and nothing between thousands; undefined where a comma may mean either. */
function plainDigits(text: string, { decimal, refuseComma }: NumberRules): string | undefined {
  if (decimal === "comma") return text.replace(/(?<=\d)\.(?=\d{3}(?:\D|$))/g, "").replace(",", ".");
  if (!text.includes(",")) return text;
  if (refuseComma) return undefined;
  return /^\d{1,3}(,\d{3})+(\.\d+)?$/.test(text) ? text.replaceAll(",", "") : text;
}
