/** Count, mean and sample variance (n - 1 below). */
export interface Moments {
  readonly count: number;
  readonly mean: number;
  /** 0 for a single value. */
  readonly variance: number;
}

/**
 * In two passes, so that a small spread about a large mean keeps its digits, and scaled, so that no square overflows. Values
 * that are equal have a variance of exactly 0. For lists that are not empty and hold finite numbers alone.
 */
export function momentsOf(values: readonly number[]): Moments {
  const count = values.length;
  const [first = 0] = values;
  if (values.every((value) => value === first)) return { count, mean: first, variance: 0 };
  const scale = Math.max(...values.map(Math.abs));
  const mean = scale * (values.reduce((sum, value) => sum + value / scale, 0) / count);
  const squares = values.reduce((sum, value) => sum + (value / scale - mean / scale) ** 2, 0);
  return { count, mean, variance: count < 2 ? 0 : (squares / (count - 1)) * scale ** 2 };
}

/** Of a list that is not empty. */
export function medianOf(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const half = Math.floor(sorted.length / 2);
  const upper = sorted[half] ?? 0;
  return sorted.length % 2 === 1 ? upper : ((sorted[half - 1] ?? 0) + upper) / 2;
}
