import assert from "node:assert/strict";
import { test } from "node:test";
import type { RunReport } from "@tokenstorm/core";
import { endText } from "./end-text.js";
import { goodReport } from "./screen-samples.js";

const ended = (run: Partial<RunReport["run"]>) => endText({ run: { ...goodReport.run, ...run } });

test("a run that a threshold ended is not said to have been stopped", () => {
  const problem = { code: "RUN_ABORTED", message: "it is over" };
  assert.equal(ended({}), "");
  assert.match(ended({ state: "failed", problem }), /failed/);
  assert.match(ended({ state: "aborted", problem }), /was stopped/);
  const threshold = "ttft.p99 < 1s abortOnFail";
  assert.match(ended({ state: "aborted", problem: { ...problem, threshold } }), /ended by a threshold/);
});
