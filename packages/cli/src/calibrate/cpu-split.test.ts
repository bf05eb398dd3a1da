import assert from "node:assert/strict";
import { test } from "node:test";
import { splitCpus } from "./cpu-split.js";

const TABLE: readonly [string, Record<number, string>, { server: string; client: string } | null][] = [
  ["0-1", {}, { server: "1", client: "0" }],
  ["0-7", { 7: "3,7" }, { server: "7", client: "0,1,2,4,5,6" }],
  ["2,4-5\n", { 5: "4-5" }, { server: "5", client: "2" }],
  ["0-1", { 1: "0-1" }, { server: "1", client: "0" }],
  ["3", {}, null],
  ["", {}, null],
  ["nonsense,5-", {}, null],
];

for (const [allowed, siblings, split] of TABLE) {
  test(`CPUs ${JSON.stringify(allowed)} with siblings ${JSON.stringify(siblings)} are split so that no core is shared where it can be helped`, () => {
    assert.deepEqual(
      splitCpus(allowed, (cpu) => siblings[cpu] ?? null),
      split,
    );
  });
}
