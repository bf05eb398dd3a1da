// What it costs an agent to know what to send: the walk over all arrivals, and one request's prompt.
//
//   node benchmarks/schedule.mjs [rounds=3]
//
// Promised: at least 3,000,000 arrivals walked a second, less than 100 us for a prompt of 512 tokens. Exits with 1
// where the best round falls short.
import {
  ArrivalWalk,
  createWorkload,
  NO_CALIBRATION,
  requirePlan,
  resolveStages,
  walkDigest,
} from "../packages/core/dist/index.js";

const rounds = Number(process.argv[2] ?? 3);
const MIN_ARRIVALS_PER_S = 3e6;
const MAX_PROMPT_US = 100;

const target = { urls: ["http://127.0.0.1:8000"] };
const slope = { durationMs: 100_000, fromRps: 0, toRps: 20_000 };
const held = { durationMs: 100_000, fromRps: 20_000 };
const openPlan = (spacing) =>
  requirePlan({ version: 1, target, load: { kind: "arrival-rate", spacing, stages: [slope, held] } });
const closedPlan = (api) =>
  requirePlan({
    version: 1,
    target: { ...target, api },
    load: { kind: "users", stages: [{ users: 1000, durationMs: 1000 }] },
  });
const options = { salt: "bench", calibration: NO_CALIBRATION };

/** Best of the rounds, in units per second; the first warms up. */
function best(run) {
  let fastest = 0;
  for (let round = 0; round <= rounds; round += 1) {
    const startNs = process.hrtime.bigint();
    const units = run();
    fastest = Math.max(fastest, units / (Number(process.hrtime.bigint() - startNs) / 1e9));
  }
  return fastest;
}

function check(what, isKept, text) {
  console.log(`${isKept ? "ok  " : "LOW "} ${what}: ${text}`);
  if (!isKept) process.exitCode = 1;
}

for (const spacing of ["even", "poisson"]) {
  const stages = resolveStages(openPlan(spacing));
  for (const count of [1, 8]) {
    const perS = best(() => {
      const walk = new ArrivalWalk({ stages, spacing, seed: 1 });
      let owned = 0;
      while (walk.advance({ index: 0, count })) owned += 1;
      return owned * count;
    });
    check(
      `arrivals, ${spacing}, agent 1 of ${count}`,
      perS >= MIN_ARRIVALS_PER_S,
      `${(perS / 1e6).toFixed(1)} million/s walked`,
    );
  }
}

for (const api of ["openai-chat", "openai-completions"]) {
  const source = createWorkload(closedPlan(api), options);
  const perS = best(() => {
    let length = 0;
    for (let user = 0; user < 3000; user += 1) {
      length += JSON.stringify(source.requestFor({ kind: "closed", stage: 1, user, j: 0 }).prompt).length;
    }
    return length > 0 ? 3000 : 0;
  });
  check(`prompt of 512 tokens as JSON, ${api}`, 1e6 / perS < MAX_PROMPT_US, `${(1e6 / perS).toFixed(1)} us`);
}

const digests = best(() => (walkDigest(openPlan("poisson"), options) === "" ? 0 : 1));
console.log(
  `     walk digest of 3,000,000 Poisson arrivals and 1,000 requests: ${Math.round(1000 / digests)} ms`,
);
