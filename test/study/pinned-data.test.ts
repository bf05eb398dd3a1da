import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { AITER_ABLATION, MULTI_RUN_FITS, profiles } from "@tokenstorm/simulator";
import { aiterLoads } from "./aiter.js";
import { DATA_FOLDER, type PublishedSeries, readCalibration, readPublished } from "./data.js";

/** The bytes that every result of the study rests on. A change here is a finding, and says so in its commit. */
const SHA256: Readonly<Record<string, string>> = {
  "deployments.json": "4987528ba93e1c6c57cc2c3560923266775f9a55254c8f2fdfb4f19ab11f1ee6",
  "published-results.json": "cc40cd443b2602db2270f8890648a2a3c460c9a92830aa87a0365fc85c124cae",
  "simulator-calibration.json": "83084bce9f887eb9c2d4ce183e6375532d0be4c03b7fb11819f609bbb3319feb",
};

const published = readPublished();
const calibration = readCalibration();

function calibrated(name: string) {
  const model = calibration.models[name];
  assert.ok(model !== undefined, `${name} is not in the calibration`);
  return model;
}

test("the facts of the study are byte for byte those that the results were made with", () => {
  const files = readdirSync(DATA_FOLDER).filter((file) => file.endsWith(".json"));
  assert.deepEqual(files.sort(), Object.keys(SHA256).sort());
  const sums = readFileSync(join(DATA_FOLDER, "SHA256SUMS"), "utf8");
  for (const [file, expected] of Object.entries(SHA256)) {
    const found = createHash("sha256")
      .update(readFileSync(join(DATA_FOLDER, file)))
      .digest("hex");
    assert.equal(
      found,
      expected,
      `${file}: a change to the facts or the calibration is a finding, not a fix`,
    );
    assert.ok(sums.includes(`${expected}  ${file}\n`), `SHA256SUMS and the test do not agree on ${file}`);
  }
});

test("the simulator's profiles are the calibration, number for number", () => {
  for (const [name, profile] of Object.entries(profiles)) {
    const model = calibrated(name);
    const table = Object.entries(model.decode_step_ms).map(([batch, ms]) => [Number(batch), ms] as const);
    assert.deepEqual(
      profile.decodeStepMs,
      table.toSorted(([a], [b]) => a - b),
      `${name}, step times`,
    );
    assert.equal(profile.prefillTokensPerS, model.prefill_tok_s.value, `${name}, prefill`);
    assert.equal(profile.provenance.fitErrorPct, model.fit.max_error_pct, `${name}, error of the fit`);
    const noise = Object.values(model.noise_cov_pct).map((percent) => Number((percent / 100).toPrecision(6)));
    assert.deepEqual(Object.values(profile.runNoiseCov).toSorted(), noise.toSorted(), `${name}, noise`);
  }
});

test("AITER's factors follow from the published differences alone, and the calibration's are these, coarser", () => {
  const factors = profiles["llama-3.1-405b"].aiter.otherFactors ?? [];
  assert.deepEqual(
    factors,
    aiterLoads(published).map(({ inFlight, differencePct }) => [
      inFlight,
      Number((1 / (1 + differencePct / 100)).toFixed(4)),
    ]),
  );
  const { "1": one, "5..50": middle, "100+": from100 } = calibrated("llama-3.1-405b").aiter_on_factor ?? {};
  for (const [inFlight, factor] of factors) {
    const coarse = inFlight === 1 ? one : inFlight >= 100 ? from100 : middle;
    assert.ok(Math.abs(factor / (coarse ?? 0) - 1) < 0.01, `${inFlight}: ${factor} beside ${coarse}`);
  }
});

test("each profile names the published rows behind it, and there are as many as the fit says", () => {
  for (const [name, { provenance }] of Object.entries(profiles)) {
    const rows = provenance.calibratedBy.reduce((sum, id) => sum + rowsOf(id), 0);
    assert.equal(rows, calibrated(name).fit.rows, `${name}: ${provenance.calibratedBy.join(", ")}`);
    const own = published.series.filter(({ model }) => model === name).map(({ id }) => id);
    const named = [...provenance.calibratedBy, ...provenance.predicts].filter((id) => id !== AITER_ABLATION);
    assert.deepEqual(named.toSorted(), own.toSorted(), `${name}: each series calibrates or is predicted`);
    assert.ok(provenance.unsupported.length > 0, `${name} claims that everything in it was measured`);
  }
});

function rowsOf(id: string): number {
  if (id === AITER_ABLATION) return published.aiter_ablation.levels.length;
  return published.series.find((series) => series.id === id)?.levels.length ?? 0;
}

test("the fits to the multi-run rows follow from these rows alone", () => {
  for (const [name, { decodeStepMs, provenance }] of Object.entries(MULTI_RUN_FITS)) {
    const series = published.series.find(({ id }) => id === provenance.calibratedBy[0]);
    assert.ok(series?.model === name && series.suite === "multi-run", name);
    assert.deepEqual(decodeStepMs, stepsOf(series), name);
    assert.ok(provenance.predicts.includes(AITER_ABLATION) === (name === "llama-3.1-405b"), name);
  }
});

/** Mean p99 of the rows of one load, over the tokens that each answer has. */
function stepsOf({ levels, workload }: PublishedSeries): [number, number][] {
  const loads = [...new Set(levels.map(({ inferred_max_in_flight }) => inferred_max_in_flight))];
  return loads.map((load) => {
    const p99s = levels.filter((row) => row.inferred_max_in_flight === load).map((row) => row.p99_latency_s);
    const meanS = p99s.reduce((sum, value) => sum + value, 0) / p99s.length;
    return [load, Number(((1000 * meanS) / (workload.inferred_output_tokens ?? 0)).toPrecision(4))];
  });
}
