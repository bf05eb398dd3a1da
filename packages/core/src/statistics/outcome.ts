/** A figure that cannot be given; `because` is a sentence for people. Nothing in this folder returns NaN or Infinity. */
export interface Unknown {
  readonly kind: "unknown";
  readonly because: string;
}

export const unknown = (because: string): Unknown => ({ kind: "unknown", because });

/** Why such values cannot be reckoned with; null where they can. */
export function unusable(values: readonly number[], what = "values"): string | null {
  if (values.length === 0) return `there are no ${what}`;
  const bad = values.find((value) => !Number.isFinite(value));
  return bad === undefined ? null : `among the ${what} is ${bad}, which is no measurement`;
}

/** Why this is no confidence; null where it is one. */
export function notConfidence(confidence: number): string | null {
  return confidence > 0 && confidence < 1 ? null : `a confidence lies between 0 and 1, not at ${confidence}`;
}

/** `95 %`, `99.9 %`. */
export const percentText = (share: number): string => `${Number((100 * share).toPrecision(6))} %`;
