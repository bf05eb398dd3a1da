// What it costs to measure: an event at the recorder, a snapshot cut, a snapshot folded, a report.
//
//   node benchmarks/recorder.mjs [rounds=3]
//
// Promised: less than 0.5 us per event, histograms and cuts included; 200 agents at intervals of 1 s folded on half a
// core, which is 2.5 ms a snapshot; a report of a run of 1,000,000 requests within 2 s. Exits with 1 where the best
// round falls short.
import {
  createAggregate,
  createRecorder,
  requirePlan,
  resolveStages,
  summariseRun,
} from "../packages/core/dist/index.js";
import { factsOf, vitals } from "./lib/recorded.mjs";

const rounds = Number(process.argv[2] ?? 3);
const MAX_EVENT_NS = 500;
const MAX_FOLD_MS = 2.5;
const MAX_REPORT_MS = 2000;
const S = 1e6;
const USERS = 1000;
const AGENTS = 4;
const ITL_US = 20_833;
const TOKENS_PER_REQUEST = 40;

const plan = requirePlan({
  version: 1,
  target: { urls: ["http://127.0.0.1:8000"] },
  warmUp: { requests: 0 },
  load: { kind: "users", stages: [{ users: USERS, rampUpMs: 0, settleMs: 0, durationMs: 60_000 }] },
  thresholds: ["ttft.p99 < 1s", "success.rate >= 99.9%"],
});
const stages = resolveStages(plan);

/** One agent's minute: its users in step, 48,000 events a second for 1,000 of them, a request every 40 tokens. */
function record(agent, users) {
  const snapshots = [];
  const recorder = createRecorder({
    run: "bench",
    agent: `a${agent}`,
    epoch: 1,
    stages,
    stageStartsUs: [0],
    intervalUs: S,
    gracePeriodUs: 30 * S,
    slos: undefined,
    vitals: () => vitals,
    onSnapshot: (snapshot) => snapshots.push(snapshot),
  });
  const usage = { prompt: 512, cachedPrompt: 0, output: TOKENS_PER_REQUEST };
  const end = { outcome: { kind: "completed" }, usage, tokenSource: "usage", finish: "length" };
  const open = new Array(users);
  const send = (user, tUs) => {
    const request = {
      stage: 0,
      dueUs: tUs,
      user,
      askedPromptTokens: 512,
      askedOutputTokens: TOKENS_PER_REQUEST,
    };
    open[user] = recorder.offer(request);
    recorder.begin(open[user], tUs);
    recorder.sent(open[user], tUs);
  };
  for (let user = 0; user < users; user += 1) send(user, user);
  let events = 0;
  for (let tUs = ITL_US; tUs < 60 * S; tUs += ITL_US) {
    for (let user = 0; user < users; user += 1) {
      const stamp = tUs + user * 20;
      recorder.event(open[user], stamp, 1, true, false);
      events += 1;
      if (open[user].tokens < TOKENS_PER_REQUEST) continue;
      recorder.end(open[user], stamp, end);
      send(user, stamp);
    }
  }
  for (const request of open)
    recorder.end(request, 61 * S, { ...end, outcome: { kind: "cancelled" }, usage: null });
  const final = recorder.finish(61 * S, { startErrorUs: 0, evicted: 0, reader: "bench" });
  return { snapshots, final, events };
}

function timed(run) {
  const startNs = process.hrtime.bigint();
  const result = run();
  return { result, ms: Number(process.hrtime.bigint() - startNs) / 1e6 };
}

const shard = (index) => ({
  agent: `a${index}`,
  instance: `i${index}`,
  epoch: 1,
  index,
  host: "h",
  version: "0",
  clockOffsetUs: 0,
  clockErrorUs: 0,
});
const shards = Array.from({ length: AGENTS }, (_, index) => shard(index));
const facts = factsOf({ plan, shards, endUs: 61 * S });

const best = { eventNs: Infinity, foldMs: Infinity, reportMs: Infinity };
for (let round = 0; round <= rounds; round += 1) {
  const recorded = timed(() => record(0, USERS));
  best.eventNs = Math.min(best.eventNs, (recorded.ms * 1e6) / recorded.result.events);
  const played = shards.map(({ index }) => record(index, USERS));
  const aggregate = createAggregate({ stages, shards });
  const snapshots = played.flatMap((one) => one.snapshots);
  const folded = timed(() => {
    for (const snapshot of snapshots) aggregate.fold(snapshot);
    for (const { final } of played) aggregate.foldFinal(final);
  });
  best.foldMs = Math.min(best.foldMs, folded.ms / snapshots.length);
  const report = timed(() => summariseRun({ facts, stages, aggregate, serverSamples: [] }));
  best.reportMs = Math.min(best.reportMs, report.ms);
  if (report.result.completeness.samplesMerged !== report.result.completeness.samplesRecorded) {
    console.error("samples are missing");
    process.exitCode = 1;
  }
}

const rows = [
  ["recorder, ns per event (requests, histograms and cuts included)", best.eventNs, MAX_EVENT_NS],
  ["fold, ms per snapshot", best.foldMs, MAX_FOLD_MS],
  ["report, ms", best.reportMs, MAX_REPORT_MS],
];
for (const [name, value, limit] of rows) {
  const holds = value < limit;
  if (!holds) process.exitCode = 1;
  console.log(`${holds ? "ok  " : "FAIL"} ${name}: ${value.toPrecision(3)} (less than ${limit})`);
}
