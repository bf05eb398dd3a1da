import assert from "node:assert/strict";
import { test } from "node:test";
import { mostAtOnce } from "./most-at-once.js";

const cases: readonly (readonly [string, readonly (readonly [number, number])[], number])[] = [
  ["nothing", [], 0],
  ["one", [[3, 1]], 1],
  [
    "one after the other",
    [
      [0, 1],
      [2, 1],
    ],
    1,
  ],
  [
    "one where the other ends, which may be beside it",
    [
      [0, 1],
      [1, 1],
    ],
    2,
  ],
  [
    "a long one over two short ones",
    [
      [0, 9],
      [1, 1],
      [3, 1],
    ],
    2,
  ],
  [
    "three in any order",
    [
      [5, 2],
      [4, 3],
      [6, 1],
    ],
    3,
  ],
];
for (const [name, spans, most] of cases) {
  test(`most at once of ${name} is ${most}`, () => assert.equal(mostAtOnce(spans), most));
}
