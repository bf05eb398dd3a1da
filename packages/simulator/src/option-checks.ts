import { LoadError } from "@tokenstorm/core";

export function integer(name: string, value: number, range: { least: number; most?: number }): number {
  const most = range.most ?? Number.MAX_SAFE_INTEGER;
  if (Number.isSafeInteger(value) && value >= range.least && value <= most) return value;
  const upper = range.most === undefined ? "" : ` and at most ${most}`;
  throw invalid(name, `${value} is not a whole number of at least ${range.least}${upper}`);
}

export function positive(name: string, value: number): number {
  if (Number.isFinite(value) && value > 0) return value;
  throw invalid(name, `${value} is not a positive number`);
}

export function share(name: string, value: number, most: number): number {
  if (Number.isFinite(value) && value >= 0 && value <= most) return value;
  throw invalid(name, `${value} is not between 0 and ${most}`);
}

export function invalid(option: string, problem: string, hint?: string): LoadError {
  return new LoadError("PLAN_INVALID", `simulator option ${option}: ${problem}`, { hint });
}

export function choice<T extends string>(name: string, value: T, known: readonly T[]): T {
  if (known.includes(value)) return value;
  throw invalid(name, `there is no ${value}`, `one of ${known.join(", ")}`);
}
