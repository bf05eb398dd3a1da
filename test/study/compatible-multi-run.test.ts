import assert from "node:assert/strict";
import { test } from "node:test";
import { runCompatible } from "./compatible.js";
import { checkCompatible } from "./compatible-checks.js";
import { readPublished } from "./data.js";

// Five repeats without noise would be one and the same: each series is run once. The whole client runs, from the
// submitted plan to the report; only sockets, clock and disk are others (virtual-cluster.ts).
const multiRun = readPublished().series.filter(({ suite }) => suite === "multi-run");

for (const series of multiRun) {
  test(`${series.model}: every multi-run row comes out as published`, async (t) => {
    const rows = await checkCompatible(t, series);
    const saturated = rows.filter(({ status }) => status === "SATURATED").map(({ level }) => level);
    assert.ok(!saturated.some((level) => level < 100), `SATURATED at ${saturated}`);
    // Every level from 100 up is the same hundred requests: "saturation at about 100" is their number.
    for (const level of [200, 500, 750, 1000])
      assert.ok(saturated.includes(level), `SATURATED at ${saturated}`);
  });
}

test("three agents give the rows that one gives", async () => {
  const series = readPublished().series.find(({ id }) => id === "validation-llama-scaling");
  assert.ok(series !== undefined);
  const [one, three] = await Promise.all([runCompatible(series, 1), runCompatible(series, 3)]);
  assert.deepEqual(
    three.rows.map(({ p99S, inFlight, requests }) => [p99S.ours, inFlight.max, requests]),
    one.rows.map(({ p99S, inFlight, requests }) => [p99S.ours, inFlight.max, requests]),
  );
  for (const [i, { level, totalTokensPerS }] of three.rows.entries()) {
    const alone = one.rows[i]?.totalTokensPerS.ours ?? 0;
    assert.ok(
      Math.abs(totalTokensPerS.ours / alone - 1) < 1e-6,
      `${level}: ${totalTokensPerS.ours}, ${alone}`,
    );
  }
});
