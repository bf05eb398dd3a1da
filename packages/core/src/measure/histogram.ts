import type { EncodedHistogram } from "./snapshot.js";

/** Counts of integer values from 0 to 1 h in us, 3 significant digits; one geometry everywhere, so merging is exact. */
export interface Histogram {
  readonly count: number;
  readonly sum: number;
  /** 0 when empty. */
  readonly min: number;
  readonly max: number;
  readonly overflow: number;
  /** Counts `value` (integer >= 0, asserted) `times` times. Above 1 h it is overflow. */
  record(value: number, times?: number): void;
  /** Value below or at which `percentile` (0 to 100) of the counts lie; null when empty. */
  percentile(percentile: number): number | null;
  /** Number of counts with a value <= `value`, by the geometry. */
  countAtOrBelow(value: number): number;
  merge(other: Histogram): void;
  mergeEncoded(other: EncodedHistogram): void;
  encode(): EncodedHistogram;
  reset(): void;
}
