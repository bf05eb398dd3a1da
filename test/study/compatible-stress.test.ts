import assert from "node:assert/strict";
import { test } from "node:test";
import { MULTI_RUN_FITS } from "@tokenstorm/simulator";
import { checkCompatible } from "./compatible-checks.js";
import { type PublishedSeries, readPublished } from "./data.js";
import { errorOf, errorText } from "./errors.js";
import { foretell } from "./predicted.js";

const published = readPublished();
const isSaturation = ({ id }: PublishedSeries) => id.endsWith("-saturation");

for (const series of published.series.filter(({ suite }) => suite !== "multi-run")) {
  test(`${series.id}: every row comes out as published`, async (t) => {
    const rows = await checkCompatible(t, series);
    if (!isSaturation(series)) return;
    // The study's own word for each level; it calls the last that is not SATURATED the PEAK.
    assert.deepEqual(
      rows.map(({ status }) => status === "SATURATED"),
      series.levels.map(({ status }) => status === "SATURATED"),
      series.id,
    );
  });
}

test("step times fitted to the multi-run rows alone foretell scaling and saturation within 18 percent", (t) => {
  const rows = foretell(published);
  const calibrated = errorOf(rows.filter(({ basis }) => basis === "calibrated"));
  const predicted = errorOf(rows.filter(({ basis }) => basis === "predicted"));
  t.diagnostic(`calibrated: ${errorText(calibrated)}; predicted: ${errorText(predicted)}`);
  for (const { provenance } of Object.values(MULTI_RUN_FITS)) {
    const own = errorOf(rows.filter(({ series }) => provenance.calibratedBy.includes(series)));
    assert.equal(Number(own.maxPct.toFixed(1)), provenance.fitErrorPct, provenance.calibratedBy.join(", "));
  }
  assert.equal(predicted.rows, 48);
  // Not a promise of the issue: what the fit is worth, so that a change of it is seen.
  assert.ok(predicted.maxPct > 8 && predicted.maxPct < 18, errorText(predicted));
});
