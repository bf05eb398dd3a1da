import assert from "node:assert/strict";
import {
  createRecorder,
  type Final,
  initialStageStarts,
  type Loss,
  type RequestEnd,
  type RequestSample,
  type ResolvedStage,
  type RunEvent,
  type RunFacts,
  requirePlan,
  resolveStages,
  type ServerCounters,
  type ServerSample,
  type ShardAssignment,
  type Snapshot,
  stageLengthUs,
  type TestPlan,
} from "@tokenstorm/core";
import { someVitals } from "./a-snapshot.js";
import { type Random, seededRandom } from "./random.js";

const S = 1_000_000;
const RUN = "madeup";
const TOKENS = 64;
const TOKENS_PER_EVENT = 4;
const PROMPT = 512;
/** Requests that the made-up server runs at once. */
const RUNNING = 256;

export interface MadeUpOptions {
  readonly agents: number;
  /** Users of each level, rising. */
  readonly levels: readonly number[];
  readonly levelMs: number;
  readonly seed: number;
  readonly intervalMs?: number;
  /** Between a user's requests, so that long runs of many agents are made up in seconds. */
  readonly thinkMs?: number;
  readonly name?: string;
  readonly model?: string;
  /** Failures in the second half, an agent that could not keep up, one of which intervals are missing. */
  readonly hasTrouble?: boolean;
  /** Its leader died and another one took over; the last agent was lost for a time. No request was lost by it. */
  readonly isTakenOver?: boolean;
}

/** When its leader was heard last, when the next one led, and when the lost agent was heard again. Run time, us. */
const TAKE_OVER = { unledFromUs: 2 * S, ledFromUs: 4 * S, foundUs: 7 * S };

/** What a run directory holds, as `RunLines` of report. */
export interface MadeUpRun {
  readonly facts: RunFacts;
  readonly results: readonly (
    | { readonly kind: "snapshot"; readonly snapshot: Snapshot }
    | { readonly kind: "final"; readonly final: Final }
  )[];
  readonly events: readonly RunEvent[];
}

/**
 * A run that never was, by the real recorder from seeded requests: for whoever shows runs and looks at the outcome. Its
 * figures are no measurement of anything.
 */
export function madeUpRun(options: MadeUpOptions): MadeUpRun {
  const plan = planOf(options);
  const stages = resolveStages(plan);
  const startsUs = initialStageStarts(stages).map((startUs) => startUs ?? 0);
  const endUs = stages.reduce((sum, stage) => sum + (stageLengthUs(stage) ?? 0), 0) + 2 * S;
  const shards = Array.from({ length: options.agents }, (_, index) => shardOf(index));
  const counted = { promptTokens: 0, generationTokens: 0, successes: 0 };
  const results = shards.flatMap(({ index }) => {
    const agent = new MadeUpAgent({ options, plan, stages, startsUs, endUs, index, counted });
    return agent.play();
  });
  const end = { ...noCounters, ...counted };
  return {
    facts: factsOf({ options, plan, shards, startsUs, endUs, counters: end }),
    results: [...results].sort((a, b) => timeOf(a) - timeOf(b)),
    events: eventsOf({ options, stages, startsUs, endUs }),
  };
}

type Result = MadeUpRun["results"][number];
const timeOf = (result: Result) =>
  result.kind === "final" ? Number.POSITIVE_INFINITY : result.snapshot.toUs;

const noCounters: ServerCounters = {
  promptTokens: 0,
  generationTokens: 0,
  successes: 0,
  preemptions: 0,
  prefixHits: 0,
  prefixQueries: 0,
};

function planOf({
  levels,
  levelMs,
  intervalMs = 1000,
  seed,
  model,
  isTakenOver = false,
}: MadeUpOptions): TestPlan {
  return requirePlan({
    version: 1,
    target: { urls: ["http://127.0.0.1:8000"], gpus: 8, ...(model === undefined ? {} : { model }) },
    workload: { inputTokens: PROMPT, outputTokens: TOKENS },
    warmUp: { requests: 0 },
    seed,
    intervalMs,
    load: {
      kind: "users",
      stages: levels.map((users) => ({ users, rampUpMs: 2000, settleMs: 1000, durationMs: levelMs })),
    },
    slos: { ttftMs: 1000, e2eMs: 6000 },
    thresholds: ["ttft.p99 < 2s", "success.rate >= 99.9%"],
    ...(isTakenOver ? { lossPolicy: "continue" as const } : {}),
  });
}

function shardOf(index: number): ShardAssignment {
  return {
    agent: `load-${index + 1}`,
    instance: `i${index}`,
    epoch: 1,
    index,
    host: `host-${Math.floor(index / 8) + 1}`,
    version: "0.1.0",
    clockOffsetUs: 40 + index,
    clockErrorUs: 90,
  };
}

interface Call {
  readonly tUs: number;
  readonly act: (tUs: number) => void;
}

class MadeUpAgent {
  readonly #how: {
    readonly options: MadeUpOptions;
    readonly plan: TestPlan;
    readonly stages: readonly ResolvedStage[];
    readonly startsUs: readonly number[];
    readonly endUs: number;
    readonly index: number;
    readonly counted: { promptTokens: number; generationTokens: number; successes: number };
  };
  readonly #random: Random;
  readonly #snapshots: Snapshot[] = [];
  readonly #recorder;

  constructor(how: MadeUpAgent["how"]) {
    this.#how = how;
    this.#random = seededRandom(how.options.seed * 1000 + how.index);
    this.#recorder = createRecorder({
      run: RUN,
      agent: `load-${how.index + 1}`,
      epoch: 1,
      shard: { index: how.index, count: how.options.agents },
      stages: how.stages,
      stageStartsUs: how.startsUs,
      intervalUs: how.plan.intervalMs * 1000,
      gracePeriodUs: how.plan.gracePeriodMs * 1000,
      slos: how.plan.slos,
      vitals: (toUs) => this.#vitals(toUs),
      onSnapshot: (snapshot) => this.#snapshots.push(snapshot),
    });
  }

  get how() {
    return this.#how;
  }

  play(): Result[] {
    const { options, endUs, index } = this.#how;
    const users = Math.max(...options.levels);
    const calls: Call[] = [];
    for (let user = index; user < users; user += options.agents) this.#user(user, calls);
    // The recorder's time does not go back.
    calls.sort((one, other) => one.tUs - other.tUs);
    for (const { tUs, act } of calls) act(tUs);
    const { unledFromUs: fromUs, ledFromUs: toUs } = TAKE_OVER;
    const final = this.#recorder.finish(endUs, {
      ...{ startErrorUs: 20 + index, evicted: 0, reader: "undici" },
      ...(options.isTakenOver === true ? { unled: [{ fromUs, toUs }] } : {}),
    });
    const isShort = options.hasTrouble === true && index === 1;
    const kept = isShort ? this.#snapshots.filter(({ seq }) => seq < 9 || seq > 11) : this.#snapshots;
    return [
      ...kept.map((snapshot) => ({ kind: "snapshot" as const, snapshot })),
      { kind: "final" as const, final },
    ];
  }

  /** From the ramp of the first level that has the user until the end of the last one. */
  #user(user: number, calls: Call[]): void {
    const { options, stages, startsUs, endUs } = this.#how;
    const first = options.levels.findIndex((users) => users > user);
    const edges = stages.map((stage, i) => (startsUs[i] ?? 0) + (stageLengthUs(stage) ?? 0));
    const before = options.levels[first - 1] ?? 0;
    const added = (options.levels[first] ?? 1) - before;
    let dueUs = (startsUs[first] ?? 0) + Math.floor((2 * S * (user - before)) / added);
    const lastUs = edges.at(-1) ?? endUs;
    while (dueUs < lastUs) {
      const stage = edges.findIndex((edgeUs) => dueUs < edgeUs);
      dueUs = this.#request({ user, stage, dueUs, inFlight: options.levels[stage] ?? 1, calls });
    }
  }

  /** Gives the time at which it ended. */
  #request(request: {
    readonly user: number;
    readonly stage: number;
    readonly dueUs: number;
    readonly inFlight: number;
    readonly calls: Call[];
  }): number {
    const { user, stage, dueUs, inFlight, calls } = request;
    const { counted, options, endUs } = this.#how;
    const random = this.#random;
    let sample: RequestSample;
    const at = (tUs: number, act: (tUs: number) => void) => calls.push({ tUs: Math.floor(tUs), act });
    at(dueUs, () => {
      const asked = { askedPromptTokens: PROMPT, askedOutputTokens: TOKENS };
      sample = this.#recorder.offer({ stage, dueUs, user, ...asked });
    });
    let tUs = dueUs + 50 + random.next() * 400;
    at(tUs, (us) => {
      this.#recorder.begin(sample, us);
      this.#recorder.sent(sample, us);
    });
    const running = Math.min(RUNNING, inFlight);
    const stepUs = 17_000 + 80 * running;
    const queueUs = (Math.max(0, inFlight - RUNNING) / RUNNING) * stepUs * TOKENS;
    const spread = Math.exp(0.25 * (random.next() + random.next() + random.next() - 1.5));
    const slow = random.bool(0.03) ? 5 : 1;
    tUs += (38_000 + 400 * running) * spread * slow + queueUs * (0.8 + 0.4 * random.next());
    at(tUs - 500, (us) => this.#recorder.headers(sample, us));
    const isLate = dueUs > endUs / 2;
    const fails = options.hasTrouble === true && isLate && random.bool(0.02);
    for (let token = 0; token < (fails ? 0 : TOKENS); token += TOKENS_PER_EVENT) {
      at(tUs, (us) => this.#recorder.event(sample, us, TOKENS_PER_EVENT, true, false));
      tUs += TOKENS_PER_EVENT * stepUs * (0.7 + 0.5 * random.next() + (random.bool(0.01) ? 2 : 0));
    }
    const end: RequestEnd = fails
      ? { outcome: { kind: "failed", reason: "http-5xx" }, usage: null, tokenSource: "none", finish: null }
      : {
          outcome: { kind: "completed" },
          usage: { prompt: PROMPT, cachedPrompt: 0, output: TOKENS },
          tokenSource: "usage",
          finish: "length",
        };
    at(tUs, (us) => this.#recorder.end(sample, us, end));
    if (!fails) {
      counted.promptTokens += PROMPT;
      counted.generationTokens += TOKENS;
      counted.successes += 1;
    }
    return Math.floor(tUs) + 1 + (options.thinkMs ?? 0) * 1000;
  }

  #vitals(toUs: number) {
    const { options, index, endUs } = this.#how;
    const random = this.#random;
    const isHot = options.hasTrouble === true && index === 2 % options.agents && toUs > endUs * 0.6;
    const loopDelayP99Us = Math.round((isHot ? 20_000 : 700) * (0.5 + random.next() ** 3 * (isHot ? 2 : 4)));
    const cpu = (isHot ? 0.8 : 0.25) + 0.1 * random.next();
    const p99Us = Math.round(400 + 500 * random.next());
    const probe = { p50Us: 110, p90Us: 260, p99Us, maxUs: p99Us, buckets: [0, 0, 3, 40, 6, 0, 1] };
    return {
      ...someVitals,
      loopDelayP99Us,
      loopDelayMaxUs: loopDelayP99Us * 2,
      utilisation: cpu,
      cpu,
      starvation: 0,
      selfProbe: { count: 50, ...probe },
    };
  }
}

function eventsOf(how: {
  readonly options: MadeUpOptions;
  readonly stages: readonly ResolvedStage[];
  readonly startsUs: readonly number[];
  readonly endUs: number;
}): RunEvent[] {
  const { options, stages, startsUs, endUs } = how;
  const random = seededRandom(options.seed);
  const edges = stages.map((stage, i) => (startsUs[i] ?? 0) + (stageLengthUs(stage) ?? 0));
  const epochMs = 1_790_000_000_000;
  const events: RunEvent[] = [
    { kind: "state", state: "running", wallMs: epochMs },
    { kind: "note", wallMs: epochMs + 5000, text: "nothing heard from load-2 <b>for 5 s</b>" },
    { kind: "state", state: "delivering", wallMs: epochMs + endUs / 1000 },
  ];
  for (let tUs = S / 2; tUs < endUs; tUs += S) {
    const stage = edges.findIndex((edgeUs) => tUs < edgeUs);
    const inFlight = stage < 0 ? 0 : (options.levels[stage] ?? 0);
    const running = Math.min(RUNNING, inFlight) - (inFlight > 0 && random.bool(0.2) ? 1 : 0);
    const sample: ServerSample = {
      ...noCounters,
      tUs,
      running,
      waiting: Math.max(0, inFlight - RUNNING),
      kvUsage: (0.6 * running) / RUNNING + 0.02 * random.next(),
    };
    events.push({ kind: "server", sample });
  }
  return events;
}

function factsOf(how: {
  readonly options: MadeUpOptions;
  readonly plan: TestPlan;
  readonly shards: readonly ShardAssignment[];
  readonly startsUs: readonly number[];
  readonly endUs: number;
  readonly counters: ServerCounters;
}): RunFacts {
  const { options, plan, shards, startsUs, endUs, counters } = how;
  const { isTakenOver = false } = options;
  return {
    schemaVersion: 1,
    record: {
      v: 1,
      id: RUN,
      name: options.name ?? "made up",
      createdAtMs: 0,
      plan,
      planDigest: "d1",
      salt: "s1",
      state: "completed",
      term: 1,
      leader: "l",
      revision: 1,
      shards,
      ...(isTakenOver ? { losses: [lossOf(shards.at(-1))] } : {}),
      start: { attempt: 1, committed: true, leaderUs: 0, epochUs: 1_790_000_000_000_000, localUs: {} },
      stageStartsUs: startsUs,
      stop: { level: "none", reason: "" },
      problem: null,
      result: null,
    },
    transport: "nats",
    version: "0.1.0",
    model: options.model ?? "made-up-model",
    wordsPerToken: 1,
    templateTokens: null,
    serverVersion: "0.14.0",
    endedAtMs: 0,
    endUs,
    serverBefore: { quiescent: true, counters: noCounters },
    serverAfter: { quiescent: true, counters },
    refusals: 0,
    ...(isTakenOver ? { led: LED } : {}),
  };
}

const LED: RunFacts["led"] = [
  { leader: "coordinator-1", term: 1, runUs: null },
  { leader: "coordinator-2", term: 2, runUs: TAKE_OVER.ledFromUs },
];

/** The one who took over had not heard of it for long enough, though it went on all the while. */
function lossOf(shard: ShardAssignment | undefined): Loss {
  assert.ok(shard !== undefined);
  const { agent, epoch } = shard;
  const { unledFromUs, foundUs } = TAKE_OVER;
  const reason = `agent ${agent} has been silent for 5.0 s`;
  return { agent, epoch, lastHeardUs: unledFromUs - S, lostUs: unledFromUs + 4 * S, reason, foundUs };
}
