import { assert } from "../errors.js";

/** A printed number: everything that rounds to it lies from `low` to `high`. */
export interface Figure {
  readonly value: number;
  readonly low: number;
  readonly high: number;
}

const PRINTED = /^[+-]?(?:\d+\.?(\d*)|\.(\d+))(?:e([+-]?\d+))?$/i;

/**
 * The figure behind a printed number, which its last digit rounds: `12.3` is anything from 12.25 to 12.35, `950`
 * anything from 949.5 to 950.5. Undefined where the text is no plain decimal number.
 */
export function printedFigure(text: string): Figure | undefined {
  const match = PRINTED.exec(text);
  const value = Number(text);
  if (match === null || !Number.isFinite(value)) return undefined;
  const decimals = (match[1] ?? match[2] ?? "").length;
  const half = 0.5 * 10 ** (Number(match[3] ?? 0) - decimals);
  return { value, low: value - half, high: value + half };
}

/** The figure of a number that a program wrote: its shortest decimal form is what was printed. */
export function numberFigure(value: number): Figure {
  const figure = printedFigure(String(value));
  assert(figure !== undefined, `no finite number: ${value}`);
  return figure;
}

/** A count or a label: nothing was rounded. */
export function exact(value: number): Figure {
  return { value, low: value, high: value };
}

/** All three by one positive factor: a change of unit. */
export function scaled(figure: Figure, factor: number): Figure {
  return { value: figure.value * factor, low: figure.low * factor, high: figure.high * factor };
}

/** Product of two figures that cannot be negative. */
export function product(a: Figure, b: Figure): Figure {
  return {
    value: a.value * b.value,
    low: Math.max(0, a.low) * Math.max(0, b.low),
    high: a.high * b.high,
  };
}

/** Quotient of two figures that cannot be negative; a divisor that may be 0 leaves it unbounded above. */
export function quotient(a: Figure, b: Figure): Figure {
  return {
    value: a.value / b.value,
    low: Math.max(0, a.low) / b.high,
    high: b.low > 0 ? a.high / b.low : Number.POSITIVE_INFINITY,
  };
}
