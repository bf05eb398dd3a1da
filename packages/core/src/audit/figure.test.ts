import assert from "node:assert/strict";
import { test } from "node:test";
import { numberFigure, printedFigure, quotient } from "./figure.js";

const printed: readonly (readonly [string, number, number])[] = [
  ["12.3", 12.25, 12.35],
  ["12.30", 12.295, 12.305],
  ["950", 949.5, 950.5],
  [".5", 0.45, 0.55],
  ["7.", 6.5, 7.5],
  ["1.2e3", 1150, 1250],
  ["5E-2", 0.045, 0.055],
  ["0", -0.5, 0.5],
];
for (const [text, low, high] of printed) {
  test(`${text} is anything from ${low} to ${high}`, () => {
    const figure = printedFigure(text);
    assert.ok(figure !== undefined);
    assert.equal(figure.value, Number(text));
    assert.ok(
      Math.abs(figure.low - low) < 1e-9 && Math.abs(figure.high - high) < 1e-9,
      JSON.stringify(figure),
    );
  });
}

test("what is no plain decimal number is no figure", () => {
  for (const text of ["", "abc", "12,3", "1 2", "NaN", "Infinity", "0x10", "1e999", "12ms", "--3", "."]) {
    assert.equal(printedFigure(text), undefined, text);
  }
});

test("a number that a program wrote is as exact as its digits", () => {
  const { low, high } = numberFigure(14.723325874590067);
  assert.ok(high - low < 1e-14);
});

test("a quotient whose divisor may be zero has no upper bound", () => {
  const zero = { value: 0.3, low: 0, high: 0.5 };
  assert.equal(quotient({ value: 1, low: 1, high: 1 }, zero).high, Number.POSITIVE_INFINITY);
});
