// What building bodies costs, and for how long it holds up the loop that reads everybody's tokens: each kind of body in one
// piece, and in the steps in which an agent builds it ahead of time. Times are CPU time of this process, so that a busy
// machine does not count: node benchmarks/request-bodies.mjs [--rounds N]
import { parseArgs } from "node:util";
import { createRequestFactory } from "../packages/agent/dist/load/request-factory.js";
import { RequestsAhead } from "../packages/agent/dist/load/requests-ahead.js";
import { NO_CALIBRATION, requirePlan } from "../packages/core/dist/index.js";
import { systemClock } from "../packages/protocol/dist/index.js";

const { values } = parseArgs({ options: { rounds: { type: "string", default: "30" } } });
const rounds = Number(values.rounds);

const BODIES = [
  ["text of 512 tokens", { inputTokens: 512 }],
  ["text of 100,000 tokens", { inputTokens: 100_000 }],
  ["token ids of 100,000 tokens", { inputTokens: 100_000 }, "openai-completions"],
  ["an image of 1024x1024", { images: { size: "1024x1024" } }],
  ["four images of 3840x2160", { images: { size: "3840x2160", count: 4 } }],
];

function factoryOf(workload, api = "openai-chat") {
  const plan = requirePlan({
    version: 1,
    target: { urls: ["http://127.0.0.1:1"], api },
    workload,
    load: { kind: "users", stages: [{ users: 1000, durationMs: 1000 }] },
  });
  return createRequestFactory({ plan, run: "r", salt: "s", model: "m", calibration: NO_CALIBRATION });
}

const key = (user, j) => ({ kind: "closed", stage: 1, user, j });
const cpuMs = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};
const at = (sorted, share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];

console.log("body                          MB     whole ms   steps   step ms p50     p99     max");
for (const [name, workload, api] of BODIES) {
  const factory = factoryOf(workload, api);
  const wholes = [];
  const steps = [];
  let bytes = 0;
  for (let j = 0; j < rounds; j += 1) {
    const begunMs = cpuMs();
    const building = factory.build(key(0, j), 0);
    let last = begunMs;
    for (;;) {
      const step = building.next();
      const nowMs = cpuMs();
      // The first rounds are for the compiler.
      if (j >= rounds / 3) steps.push(nowMs - last);
      last = nowMs;
      if (step.done) {
        bytes = step.value.request.body.byteLength;
        break;
      }
    }
    if (j >= rounds / 3) wholes.push(last - begunMs);
  }
  wholes.sort((a, b) => a - b);
  steps.sort((a, b) => a - b);
  const cells = [
    name.padEnd(28),
    (bytes / 1e6).toFixed(3).padStart(6),
    at(wholes, 0.5).toFixed(2).padStart(10),
    String(Math.round(steps.length / wholes.length)).padStart(7),
    ...[0.5, 0.99, 1].map((share) => at(steps, share).toFixed(3).padStart(9)),
  ];
  console.log(cells.join(" "));
}

// The send path: what taking a request that is built costs, for 1,000 users of ordinary text.
const clock = systemClock();
const ahead = new RequestsAhead({ run: "r", factory: factoryOf({}), clock, maxBytes: 64 * 1024 * 1024 });
const taken = [];
for (let round = 0; round < 5; round += 1) {
  for (let user = 0; user < 1000; user += 1) ahead.want(key(user, round), 0);
  // A body of 512 tokens has some 2,900 bytes.
  let before = -1;
  while (ahead.bytes > before) {
    before = ahead.bytes;
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
  const begunMs = cpuMs();
  for (let user = 0; user < 1000; user += 1) ahead.take(key(user, round), 0);
  if (round > 1) taken.push((cpuMs() - begunMs) * 1000);
}
taken.sort((a, b) => a - b);
console.log(
  `taking a built request, 1,000 users: ${(at(taken, 0.5) / 1000).toFixed(2)} us each; ${ahead.builtLate} built late`,
);
ahead.close();
