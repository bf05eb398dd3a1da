import { decodeStepMs, type StepTable } from "./engine/step-time.js";

export const AITER_STATES = ["on", "off"] as const;
/** Whether AMD's AITER kernels are in use. */
export type AiterState = (typeof AITER_STATES)[number];

/** What the study's rows say about AITER for one model. */
export interface AiterFacts {
  /** In which state the rows were taken to which the step times were fitted. */
  readonly fittedWith: AiterState;
  /**
   * Step time in the other state over that of the fit, by sequences in flight: linear between the points, constant
   * beyond them. Absent where nothing was published about the other state.
   */
  readonly otherFactors?: readonly (readonly [sequences: number, factor: number])[];
}

/**
 * Step times in the other state: both tables' points, each with its product. Between two points the product of two
 * lines is no line; the factors change by 14 % at most from one point to the next, which bends it by less than 1 %.
 */
export function inOtherState(table: StepTable, factors: NonNullable<AiterFacts["otherFactors"]>): StepTable {
  const points = new Set([...table, ...factors].map(([sequences]) => sequences));
  const last = Math.max(...points);
  // One point more, so that the last slope is that of a constant factor.
  return [...points, last + 1]
    .sort((a, b) => a - b)
    .map((sequences) => [sequences, decodeStepMs(table, sequences) * factorAt(factors, sequences)] as const);
}

function factorAt(factors: NonNullable<AiterFacts["otherFactors"]>, sequences: number): number {
  let [x0, y0] = factors[0] ?? [1, 1];
  for (const [x1, y1] of factors) {
    if (sequences <= x1) return x1 === x0 ? y1 : y0 + ((y1 - y0) * (sequences - x0)) / (x1 - x0);
    [x0, y0] = [x1, y1];
  }
  return y0;
}
