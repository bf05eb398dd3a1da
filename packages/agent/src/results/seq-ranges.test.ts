import assert from "node:assert/strict";
import { property } from "@tokenstorm/testkit";
import { SeqRanges } from "./seq-ranges.js";

property(
  "numbers added in any order are in the ranges, nothing else is, and ranges do not touch",
  200,
  (random) => {
    const ranges = new SeqRanges();
    const added = new Set<number>();
    for (let i = 0; i < 60; i += 1) {
      const seq = random.int(1, 80);
      added.add(seq);
      ranges.add(seq);
    }
    const told = ranges.ranges();
    const held = told.flatMap(({ from, to }) => Array.from({ length: to - from + 1 }, (_, i) => from + i));
    assert.deepEqual(
      held,
      [...added].sort((a, b) => a - b),
    );
    assert.ok(told.every(({ from }, i) => i === 0 || from > (told[i - 1]?.to ?? 0) + 1));
  },
);
