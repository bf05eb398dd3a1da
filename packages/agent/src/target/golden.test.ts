import { test } from "node:test";
import { goldenCases } from "@tokenstorm/testkit";
import { runGoldenCase } from "../testing/golden-run.js";
import { createUndiciTarget } from "./undici-target.js";

for (const example of goldenCases) {
  test(`the undici reader of ${example.name}: ${example.expect.outcome}`, { timeout: 60_000 }, () =>
    runGoldenCase(createUndiciTarget, example),
  );
}
