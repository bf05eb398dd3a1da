// Books of agents that never ran: what the real recorder makes of made-up requests, for whoever folds and reports them.
import { createRecorder, requirePlan, resolveStages } from "../../packages/core/dist/index.js";

const S = 1_000_000;
const RUN = "bench";

export const vitals = {
  loopDelayP99Us: 500,
  loopDelayMaxUs: 900,
  utilisation: 0.2,
  cpu: 0.2,
  starvation: 0,
  gcUs: 0,
  throttledUs: 0,
  rssBytes: 5e7,
  openSockets: 1,
  descriptors: 20,
  descriptorLimit: 1024,
};

export function benchPlan({ users, seconds }) {
  return requirePlan({
    version: 1,
    target: { urls: ["http://127.0.0.1:8000"] },
    warmUp: { requests: 0 },
    load: { kind: "users", stages: [{ users, rampUpMs: 0, settleMs: 0, durationMs: seconds * 1000 }] },
    thresholds: ["ttft.p99 < 1s", "success.rate >= 99.9%"],
  });
}

export function shard(index) {
  return {
    agent: `a${index}`,
    instance: `i${index}`,
    epoch: 1,
    index,
    host: "h",
    version: "0",
    clockOffsetUs: 0,
    clockErrorUs: 0,
  };
}

/** Of a run of `plan` that has ended as it should. */
export function factsOf({ plan, shards, endUs }) {
  const counters = {
    promptTokens: 0,
    generationTokens: 0,
    successes: 0,
    preemptions: 0,
    prefixHits: 0,
    prefixQueries: 0,
  };
  const scrape = { quiescent: true, counters };
  return {
    schemaVersion: 1,
    record: {
      v: 1,
      id: RUN,
      name: RUN,
      createdAtMs: 0,
      plan,
      planDigest: "",
      salt: "s",
      state: "completed",
      term: 1,
      leader: "l",
      revision: 1,
      shards,
      start: { attempt: 1, committed: true, leaderUs: 0, epochUs: 0, localUs: {} },
      stageStartsUs: [0],
      stop: { level: "none", reason: "" },
      problem: null,
      result: null,
    },
    transport: "memory",
    version: "0",
    model: null,
    wordsPerToken: null,
    templateTokens: null,
    serverVersion: null,
    endedAtMs: 0,
    endUs,
    serverBefore: scrape,
    serverAfter: scrape,
    refusals: 0,
  };
}

/**
 * One agent's run: so many requests fall due in each interval of 1 s, evenly, each of so many tokens. Times vary as they
 * do (seeded), because a histogram's size on the wire is that of the values that occur.
 */
export function recordAgent({ plan, index, seconds, requestsPerS, tokens }) {
  const snapshots = [];
  const random = randomFrom(index + 1);
  const recorder = createRecorder({
    run: RUN,
    agent: `a${index}`,
    epoch: 1,
    stages: resolveStages(plan),
    stageStartsUs: [0],
    intervalUs: S,
    gracePeriodUs: 30 * S,
    slos: undefined,
    vitals: () => vitals,
    onSnapshot: (snapshot) => snapshots.push(snapshot),
  });
  for (let interval = 0; interval < seconds; interval++) {
    const calls = [];
    for (let i = 0; i < requestsPerS; i++) {
      plotRequest({
        calls,
        recorder,
        random,
        tokens,
        user: i,
        dueUs: interval * S + Math.floor((i * S) / requestsPerS / 4),
      });
    }
    // The recorder's time does not go back.
    calls.sort((one, other) => one.tUs - other.tUs);
    for (const { tUs, call } of calls) call(tUs);
  }
  const final = recorder.finish(seconds * S, { startErrorUs: 0, evicted: 0, reader: "bench" });
  return { snapshots, final };
}

/** A request of less than 0.7 s: it ends in the interval in which it was due. */
function plotRequest({ calls, recorder, random, tokens, user, dueUs }) {
  let sample;
  const at = (tUs, call) => calls.push({ tUs: Math.floor(tUs), call });
  at(dueUs, () => {
    sample = recorder.offer({ stage: 0, dueUs, user, askedPromptTokens: 512, askedOutputTokens: tokens });
  });
  let tUs = dueUs + random() * 500;
  at(tUs, (us) => {
    recorder.begin(sample, us);
    recorder.sent(sample, us);
  });
  tUs += 50_000 * (1 + random());
  for (let token = 0; token < tokens; token++) {
    at(tUs, (us) => recorder.event(sample, us, 1, true, false));
    tUs += (400_000 / tokens) * (0.5 + random());
  }
  const usage = { prompt: 512, cachedPrompt: 0, output: tokens };
  const end = { outcome: { kind: "completed" }, usage, tokenSource: "usage", finish: "length" };
  at(tUs, (us) => recorder.end(sample, us, end));
}

/** Mulberry32: the same numbers from the same seed. */
function randomFrom(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
