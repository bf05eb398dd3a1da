import assert from "node:assert/strict";
import { test } from "node:test";
import { goldenCases, realGoldenClock, resplit } from "@tokenstorm/testkit";
import { runGoldenCase } from "../testing/golden-run.js";
import { createUndiciTarget } from "./undici-target.js";

/** Far beyond what any case takes: a reader that never tells of what is there must not hang the tests. */
const limit = { timeout: 60_000 };

for (const example of goldenCases) {
  test(`the undici reader of ${example.name}: ${example.expect.outcome}`, limit, () =>
    runGoldenCase(createUndiciTarget, example),
  );
}

test("stamps of the machine's own clock lie between a write and the step after it, too", limit, async () => {
  const isPaced = (name: string) => /every 20 ms|SGLang|llama.cpp's framing of chat/.test(name);
  const paced = goldenCases.filter(({ name }) => isPaced(name));
  assert.equal(paced.length, 3);
  for (const example of paced) {
    await runGoldenCase(createUndiciTarget, example, realGoldenClock);
    await runGoldenCase(
      createUndiciTarget,
      resplit(example, "in pieces", (at) => 1 + (at % 97)),
      realGoldenClock,
    );
  }
});

test("no two golden cases have one name", () => {
  const names = goldenCases.map(({ name }) => name);
  assert.deepEqual(names, [...new Set(names)]);
});
