import assert from "node:assert/strict";
import { test } from "node:test";
import { editDistance, nearest } from "./nearest.js";

test("the edit distance counts insertions, deletions, replacements and swaps", () => {
  const table: readonly (readonly [string, string, number])[] = [
    ["", "", 0],
    ["", "abc", 3],
    ["abc", "", 3],
    ["users", "usres", 1],
    ["kitten", "sitting", 3],
    ["ramUpMs", "rampUpMs", 1],
    ["ca", "abc", 3],
  ];
  for (const [a, b, distance] of table) {
    assert.equal(editDistance(a, b), distance, `${a} to ${b}`);
    assert.equal(editDistance(b, a), distance, `${b} to ${a}`);
  }
});

test("the nearest key is what was meant, and what is far is nothing", () => {
  const keys = ["users", "rampUpMs", "settleMs", "durationMs", "requests", "maxDurationMs"];
  const table: Readonly<Record<string, string | undefined>> = {
    usres: "users",
    rampup: "rampUpMs",
    RAMPUPMS: "rampUpMs",
    settle: "settleMs",
    duration: "durationMs",
    request: "requests",
    maxDuration: "maxDurationMs",
    hold: undefined,
    x: undefined,
    "": undefined,
  };
  for (const [word, expected] of Object.entries(table)) assert.equal(nearest(word, keys), expected, word);
  assert.equal(nearest("users", []), undefined);
});
