import assert from "node:assert/strict";
import { test } from "node:test";
import { type RunReport, type SaturationLevel, saturationEstimate } from "@tokenstorm/core";
import { type HeldLevels, runHeld } from "./corrected.js";
import { readPublished } from "./data.js";

const published = readPublished();
const totalOf = ({ rates }: RunReport["stages"][number]) => rates.promptTokensPerS + rates.outputTokensPerS;

function measuredLevelsOf({ stages }: RunReport): SaturationLevel[] {
  return stages.map(({ inFlight, rates, success, latencyUs: { ttft, e2e } }) => ({
    inFlight: inFlight.mean,
    throughput: [rates.outputTokensPerS],
    success: success.rate,
    waitingShares: [(ttft.mean ?? 0) / (e2e.mean ?? 1)],
  }));
}

/** Llama's saturation suite as it should have been: the prompts cached as they were there, every length fixed, levels held. */
const HELD_SATURATION: HeldLevels = {
  simulator: { profile: "llama-3.1-405b" },
  promptTokens: 324,
  outputTokens: 99,
  prompts: "identical",
  levels: [
    { users: 200, windowS: 24 },
    { users: 450, windowS: 40 },
    { users: 700, windowS: 55 },
    { users: 1000, windowS: 75 },
  ],
};

const levelsText = ({ stages }: RunReport): string =>
  stages
    .map((stage) => `${stage.inFlight.mean.toFixed(1)} in flight: ${totalOf(stage).toFixed(0)} total tok/s`)
    .join("; ");

function checkHeld({ stages, verdict }: RunReport, { levels }: HeldLevels): void {
  assert.equal(verdict.status, "valid", verdict.reasons.join("; "));
  assert.equal(stages.length, levels.length);
  for (const { name, inFlight, steady, tooShort, success } of stages) {
    assert.ok(steady && !tooShort, `${name} is not steady`);
    assert.ok(inFlight.mean > 0.999 * (inFlight.asked ?? 0), `${name}: ${inFlight.mean} in flight`);
    assert.equal(success.rate, 1, name);
  }
}

test("held levels of the saturation suite have 1,000 in flight at 1,000, and their throughput goes on rising past 500", async (t) => {
  const { report } = await runHeld(HELD_SATURATION);
  t.diagnostic(levelsText(report));
  checkHeld(report, HELD_SATURATION);
  const [, at450, at700, at1000] = report.stages;
  assert.ok(at450 !== undefined && at700 !== undefined && at1000 !== undefined);
  assert.ok(Math.round(at1000.inFlight.mean) === 1000 && at1000.inFlight.maxAtMost === 1000);
  assert.ok(totalOf(at700) > 1.1 * totalOf(at450), `${totalOf(at450)} at 450, ${totalOf(at700)} at 700`);
  assert.ok(totalOf(at1000) > 1.05 * totalOf(at700), `${totalOf(at700)} at 700, ${totalOf(at1000)} at 1,000`);
  // On the calibration table, which is a straight line beyond 450, nothing saturates.
  const estimate = saturationEstimate(measuredLevelsOf(report));
  assert.ok(estimate.kind === "none" && estimate.upTo >= 999, JSON.stringify(estimate));
  assert.match(
    report.verdict.limitSentence ?? "",
    /^The server's compute was the limit: .* x 1\.43, output grew/,
  );
});

test("held levels with a prompt for each request rise past the published point of about 100", async (t) => {
  const held: HeldLevels = {
    simulator: { profile: "llama-3.1-405b" },
    promptTokens: 1246,
    outputTokens: 512,
    prompts: "unique",
    levels: [
      { users: 100, windowS: 120 },
      { users: 300, windowS: 270 },
    ],
  };
  const { report } = await runHeld(held);
  t.diagnostic(levelsText(report));
  checkHeld(report, held);
  const [at100 = 0, at300 = 0] = report.stages.map(totalOf);
  assert.ok(at300 > 1.2 * at100, `${at100} at 100, ${at300} at 300`);
  for (const { tokens } of report.stages) assert.equal(tokens.cachedPrompt, 0, "a prompt was in the cache");
});

test("17,406 requests and more succeed at a measured 1,000 in flight, by the strict definition and by the study's", async (t) => {
  const held: HeldLevels = {
    simulator: { profile: "llama-3.1-405b" },
    // Four blocks and a token: all but the last is found in the cache.
    promptTokens: 65,
    outputTokens: 16,
    prompts: "identical",
    levels: [{ users: 1000, windowS: 66 }],
    agents: 2,
  };
  const { report, study } = await runHeld(held);
  checkHeld(report, held);
  const [level] = report.stages;
  assert.ok(level !== undefined);
  const { completed, offered } = level.requests;
  assert.ok(
    completed === offered && completed >= published.headline.requests_total,
    `${completed} of ${offered}`,
  );
  // Clopper and Pearson without a failure: 0.05 ** (1 / n).
  const lower95 = 0.05 ** (1 / completed);
  assert.ok(Math.abs((level.success.lower95 ?? 0) - lower95) < 1e-9 && lower95 > 0.9998);
  const theirs = study.levels[0]?.values["success"];
  assert.ok(theirs?.kind === "value" && theirs.value === 1);
  t.diagnostic(
    `${completed} of ${offered} requests succeeded at ${level.inFlight.mean.toFixed(1)} in flight ` +
      `(${level.inFlight.minAtLeast} to ${level.inFlight.maxAtMost}); lower 95 % bound ${(100 * lower95).toFixed(3)} %`,
  );
});

test("a server that runs 256 at once is found out within ten percent", async (t) => {
  const held: HeldLevels = {
    simulator: { profile: "kimi-k2.5", maxNumSeqs: 256, blockSize: 16 },
    promptTokens: 324,
    outputTokens: 64,
    prompts: "identical",
    levels: [100, 150, 200, 300, 400, 500].map((users) => ({
      users,
      windowS: 3.3 * 64 * (0.3 + users / 2000) * Math.max(1, users / 256),
    })),
  };
  const { report } = await runHeld(held);
  checkHeld(report, held);
  const estimate = saturationEstimate(measuredLevelsOf(report));
  assert.ok(estimate.kind === "found", JSON.stringify(estimate));
  assert.ok(Math.abs(estimate.inFlight / 256 - 1) < 0.1, estimate.sentence);
  // In the report the server's own count of running requests goes before what follows from times.
  const reported = report.saturation;
  assert.ok(reported?.kind === "found" && reported.by === "service", JSON.stringify(reported));
  assert.ok(Math.abs(reported.inFlight / 256 - 1) < 0.1, reported.sentence);
  assert.match(reported.sentence, /by its own count/);
  assert.equal(report.verdict.limitedBy, "queue", report.verdict.limitSentence);
  t.diagnostic(estimate.sentence);
});
