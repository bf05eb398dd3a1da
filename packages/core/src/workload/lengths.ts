import type { Length } from "../plan/schema.js";
import { exp } from "../random/elementary.js";
import type { Random } from "../random/random.js";

/** The longest length a plan may name, tokens. */
const LONGEST = 10_000_000;

/** Draws a length in tokens. Normal and log-normal values are rounded; those beyond min or max become min or max. */
export function drawLength(length: Length, random: Random): number {
  if (typeof length === "number") return length;
  switch (length.kind) {
    case "fixed":
      return length.tokens;
    case "uniform":
      return length.min + random.nextBelow(length.max - length.min + 1);
    case "normal":
      return kept(length.mean + length.sd * random.nextNormal(), length);
    case "lognormal":
      return kept(length.median * exp(length.sigma * random.nextNormal()), length);
  }
}

/** The shortest length that the plan states; the mean or median where a distribution has no stated minimum. */
export function shortestLength(length: Length): number {
  if (typeof length === "number") return length;
  switch (length.kind) {
    case "fixed":
      return length.tokens;
    case "uniform":
      return length.min;
    case "normal":
      return length.min ?? length.mean;
    case "lognormal":
      return length.min ?? length.median;
  }
}

/** The longest length that can be drawn; null where the plan bounds it by nothing. */
export function longestLength(length: Length): number | null {
  if (typeof length === "number") return length;
  switch (length.kind) {
    case "fixed":
      return length.tokens;
    case "uniform":
      return length.max;
    case "normal":
    case "lognormal":
      return length.max ?? null;
  }
}

/** Mean of the lengths that are drawn, where no bound cuts much of them off. */
export function meanLength(length: Length): number {
  if (typeof length === "number") return length;
  switch (length.kind) {
    case "fixed":
      return length.tokens;
    case "uniform":
      return (length.min + length.max) / 2;
    case "normal":
      return kept(length.mean, length);
    case "lognormal":
      return kept(length.median * exp(length.sigma ** 2 / 2), length);
  }
}

function kept(
  value: number,
  bounds: { readonly min?: number | undefined; readonly max?: number | undefined },
) {
  return Math.min(bounds.max ?? LONGEST, Math.max(bounds.min ?? 1, Math.round(value)));
}
