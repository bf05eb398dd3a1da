import assert from "node:assert/strict";
import { test } from "node:test";
import { LOAD_ERROR_CODES, type RunReport } from "@tokenstorm/core";
import { errorExitCode, type RunEnd, runExitCode } from "./exit-codes.js";

type Verdict = RunReport["verdict"];

function end(change: Partial<RunEnd>, verdict: Partial<Verdict> = {}): RunEnd {
  const whole: Verdict = { status: "valid", thresholds: "none", reasons: [], limitedBy: null, ...verdict };
  return { state: "completed", started: true, problem: null, report: { verdict: whole }, ...change };
}

const table: readonly (readonly [string, RunEnd, { strict: boolean }, number])[] = [
  ["a valid run without thresholds is 0", end({}), { strict: true }, 0],
  ["passed thresholds are 0", end({}, { thresholds: "passed" }), { strict: false }, 0],
  ["failed thresholds are 99", end({}, { thresholds: "failed" }), { strict: false }, 99],
  ["inconclusive thresholds are 98", end({}, { thresholds: "inconclusive" }), { strict: false }, 98],
  ["a degraded result is 0 by default", end({}, { status: "degraded" }), { strict: false }, 0],
  ["a degraded result is 110 under --strict", end({}, { status: "degraded" }), { strict: true }, 110],
  [
    "an invalid result is 110 before failed thresholds",
    end({}, { status: "invalid", thresholds: "failed" }),
    { strict: false },
    110,
  ],
  [
    "a stopped run is 105 before everything its report says",
    end({ state: "aborted" }, { status: "invalid" }),
    { strict: true },
    105,
  ],
  [
    "a run that a threshold ended is 99, though it is aborted and its result invalid",
    end(
      { state: "aborted", problem: { code: "RUN_ABORTED", threshold: "ttft.p99 < 1s abortOnFail" } },
      { status: "invalid", thresholds: "failed" },
    ),
    { strict: true },
    99,
  ],
  [
    "a run stopped before its start is 105",
    end({ state: "aborted", started: false, report: null }),
    { strict: false },
    105,
  ],
  [
    "a run that failed before its start is 1",
    end({ state: "failed", started: false, problem: { code: "AGENTS_INSUFFICIENT" }, report: null }),
    { strict: false },
    1,
  ],
  [
    "a plan that the agents refused is 104",
    end({ state: "failed", started: false, problem: { code: "PLAN_INVALID" }, report: null }),
    { strict: false },
    104,
  ],
  [
    "a run that failed under way is invalid: 110",
    end({ state: "failed", problem: { code: "AGENT_LOST" } }, { status: "invalid" }),
    { strict: false },
    110,
  ],
  [
    "a run that failed under way and left no report is 110",
    end({ state: "failed", report: null }),
    { strict: false },
    110,
  ],
  ["a completed run whose report is lost is 1", end({ report: null }), { strict: false }, 1],
];

for (const [name, run, options, code] of table) {
  test(name, () => assert.equal(runExitCode(run, options), code));
}

test("only what is wrong with the plan is 104; every other operational error is 1", () => {
  const plan = LOAD_ERROR_CODES.filter((code) => errorExitCode(code) === 104);
  assert.deepEqual(plan, ["PLAN_INVALID", "PLAN_UNSUPPORTED_VERSION", "DATASET_INVALID"]);
  for (const code of LOAD_ERROR_CODES) assert.ok([1, 104].includes(errorExitCode(code)), code);
});
