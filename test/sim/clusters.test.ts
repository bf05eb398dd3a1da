import assert from "node:assert/strict";
import { test } from "node:test";
import { CoverageSum } from "./coverage.js";
import { runSeed } from "./run-seeds.js";

/** Fixed, so that a green run stays green; SIM_FROM and SIM_SEEDS choose others. scripts/sim.mjs runs thousands. */
const FROM = Number(process.env["SIM_FROM"] ?? 1);
const SEEDS = Number(process.env["SIM_SEEDS"] ?? 300);

test(`whole clusters in virtual time, ${SEEDS} seeds from ${FROM}: nothing is lost unnamed, nothing counts twice, every run ends`, async (t) => {
  const sum = new CoverageSum();
  for (let seed = FROM; seed < FROM + SEEDS; seed += 1) sum.add(await runSeed(seed));
  t.diagnostic(`covered: ${sum.text()}`);
  assert.deepEqual(sum.never(), [], `no seed did this: ${sum.text()}`);
});
