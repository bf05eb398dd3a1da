import assert from "node:assert/strict";
import { test } from "node:test";
import { studySaturation } from "./study-saturation.js";

/** Published rows: label, total tok/s, p99 s. */
const rows = (table: readonly (readonly [number, number, number])[]) =>
  table.map(([asked, totalTokensPerS, seconds]) => ({
    asked,
    success: 1,
    totalTokensPerS,
    e2eP99Us: seconds * 1e6,
  }));

test("on the published tables the study's rule says about 100 and about 500", () => {
  const multiRun = studySaturation(
    rows([
      [10, 1090, 16.17],
      [50, 4381, 20.14],
      [100, 6802, 25.84],
      [200, 6674, 26.33],
      [500, 6804, 25.84],
      [750, 6808, 25.83],
      [1000, 6798, 25.84],
    ]),
  );
  assert.ok(multiRun.point.kind === "found");
  assert.deepEqual([multiRun.point.asked, multiRun.point.saturatedAt], [100, 200]);
  const saturation = studySaturation(
    rows([
      [150, 10320, 6.15],
      [200, 11519, 7.35],
      [300, 13937, 9.09],
      [500, 15944, 11.78],
      [750, 15693, 12.01],
      [1000, 15319, 12.28],
    ]),
    { baselineE2eP99Us: 3e6 },
  );
  assert.ok(saturation.point.kind === "found");
  assert.equal(saturation.point.asked, 500);
  assert.deepEqual(
    saturation.levels.map((one) => (one.kind === "status" ? one.status : one.kind)),
    ["DEGRADED", "DEGRADED", "DEGRADED", "DEGRADED", "SATURATED", "SATURATED"],
  );
});

test("the first that applies is the status: success, growth, tail", () => {
  const level = (
    asked: number,
    success: number | null,
    totalTokensPerS: number | null,
    e2eP99Us: number | null,
  ) => ({
    asked,
    success,
    totalTokensPerS,
    e2eP99Us,
  });
  const { levels, point } = studySaturation([
    level(1, 1, 100, 1000),
    level(2, 1, 200, 2000),
    level(4, 0.95, 400, 2001),
    level(8, 1, 419.9, 1000),
    level(16, 0.949, 4000, 1000),
    level(32, null, null, null),
    level(64, 1, 900, 1),
  ]);
  assert.deepEqual(
    levels.map((one) => (one.kind === "status" ? one.status : one.because)),
    [
      "OK",
      "OK",
      "DEGRADED",
      "SATURATED",
      "FAILING",
      "no request ended at 32",
      "the level before, 32, has no throughput to compare with",
    ],
  );
  assert.ok(point.kind === "found" && point.asked === 4);
});

test("without a baseline nothing is OK, and a ladder that only grows has no point", () => {
  const found = studySaturation(
    rows([
      [10, 100, 1],
      [20, 200, 1],
    ]),
  );
  assert.equal(found.levels[0]?.kind, "unknown");
  assert.ok(found.point.kind === "none" && found.point.upTo === 20);
  assert.equal(studySaturation([]).point.kind, "unknown");
});

test("a baseline that was not measured is none, whatever the level of one user says", () => {
  const level = (asked: number, e2eP99Us: number) => ({
    asked,
    success: 1,
    totalTokensPerS: 100 * asked,
    e2eP99Us,
  });
  const levels = [level(1, 1e6), level(2, 3e6)];
  const statusOf = (baselineE2eP99Us: number | null | undefined) =>
    studySaturation(levels, baselineE2eP99Us === undefined ? {} : { baselineE2eP99Us }).levels[1];
  assert.deepEqual(statusOf(undefined), { kind: "status", status: "DEGRADED" });
  assert.equal(statusOf(null)?.kind, "unknown");
});
