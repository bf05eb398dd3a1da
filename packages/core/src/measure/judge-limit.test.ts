import assert from "node:assert/strict";
import { test } from "node:test";
import type { ServerSample } from "../run/facts.js";
import { judgeLimit, type LimitedBy, type LimitInput } from "./judge-limit.js";
import type { LimitRow } from "./limit-evidence.js";
import { requestCounts } from "./stage-report.js";
import { counters } from "./testing/run-facts.js";
import { seeded } from "./testing/seeded.js";

const S = 1_000_000;
const noRequests = requestCounts([]);

interface LevelShape {
  readonly asked?: number | null;
  readonly inFlight: number;
  readonly running?: number | readonly number[];
  readonly waiting?: number | readonly number[];
  readonly kv?: number;
  readonly preemptions?: number;
  readonly outputTokensPerS?: number;
  readonly itlUs?: number;
  readonly lagP99Us?: number;
  readonly late?: number;
  readonly failed?: number;
  readonly tooShort?: boolean;
  readonly isNeverFull?: boolean;
  readonly scrapes?: number;
}

interface Shape {
  readonly levels: readonly LevelShape[];
  readonly red?: number;
  /** Scrapes before the levels. */
  readonly earlier?: readonly ServerSample[];
}

const GREEN = { red: 0, measured: 240, share: 0 };

/** Levels of 10 s, each scraped every second. */
function inputOf({ levels, red = 0, earlier = [] }: Shape): LimitInput {
  const made = levels.map((level, i) => levelOf(level, (1 + i) * 100 * S));
  return {
    red: { ...GREEN, red, share: red / GREEN.measured },
    levels: made.map(({ row, isNeverFull }) => ({ row, isNeverFull })),
    samples: [...earlier, ...made.flatMap(({ samples }) => samples)],
  };
}

function levelOf(level: LevelShape, fromUs: number) {
  const { inFlight, running = inFlight, waiting = 0, kv = 0.2, scrapes = 10 } = level;
  const at = (values: number | readonly number[], i: number) =>
    typeof values === "number" ? values : (values[i % values.length] ?? 0);
  const samples = Array.from({ length: scrapes }, (_, i) =>
    sampleAt(fromUs + i * S, { running: at(running, i), waiting: at(waiting, i), kvUsage: kv }),
  );
  const mean = (of: (sample: ServerSample) => number) =>
    scrapes === 0 ? null : samples.reduce((sum, sample) => sum + of(sample), 0) / scrapes;
  const row: LimitRow = {
    name: `u${level.asked ?? inFlight}`,
    tooShort: level.tooShort ?? false,
    inFlight: {
      asked: level.asked === undefined ? inFlight : level.asked,
      mean: inFlight,
      minAtLeast: 0,
      maxAtMost: inFlight,
    },
    server: {
      runningMean: mean((sample) => sample.running),
      waitingMean: mean((sample) => sample.waiting),
      kvUsageMax: scrapes === 0 ? null : kv,
      preemptions: level.preemptions ?? 0,
      prefixHitTokens: 0,
    },
    requests: { ...noRequests, offered: 1000, sent: 1000, failed: level.failed ?? 0 },
    drops: level.late === undefined ? {} : { late: level.late },
    windowStartUs: fromUs,
    windowMs: 10_000,
    rates: { outputTokensPerS: level.outputTokensPerS ?? 50 * inFlight },
    latencyUs: {
      itl: { mean: level.itlUs ?? 20_000, p50: level.itlUs ?? 20_000 },
      scheduleLag: { p99: level.lagP99Us ?? 400 },
    },
  };
  return { row, samples, isNeverFull: level.isNeverFull ?? false };
}

function sampleAt(tUs: number, change: Partial<ServerSample>): ServerSample {
  return { ...counters(), tUs, running: 0, waiting: 0, kvUsage: 0, ...change };
}

const free: LevelShape = { inFlight: 100, outputTokensPerS: 5000 };
/** Twice the load, 5 % more output: the time between tokens takes the rest. */
const saturated: LevelShape = { inFlight: 200, outputTokensPerS: 5250, itlUs: 38_000 };
const queued: LevelShape = { inFlight: 200, running: 128, waiting: 72, kv: 0.5 };
const kvFull: LevelShape = { inFlight: 200, running: [140, 150, 160], waiting: 50, kv: 0.98 };

const table: readonly (readonly [string, Shape, LimitedBy | null, RegExp])[] = [
  [
    "more than 1 % of red intervals",
    { levels: [free], red: 3 },
    "client",
    /3 of 240 measured agent intervals were red \(1\.3 %, limit 1 %\)/,
  ],
  [
    "requests that begin late",
    { levels: [{ ...free, lagP99Us: 8001 }] },
    "client",
    /late, by 8\.0 ms at p99 \(limit 8\.0 ms\)/,
  ],
  [
    "a lag that is nothing beside a slow server's ITL",
    { levels: [{ ...free, lagP99Us: 8001, itlUs: 40_000 }] },
    null,
    /alone does not say/,
  ],
  [
    "requests that were never sent because it was too late",
    { levels: [{ ...free, late: 11 }] },
    "client",
    /11 of 1000 due requests were never sent/,
  ],
  [
    "users that are not in flight though nothing fails",
    { levels: [{ ...free, asked: 120, isNeverFull: true }] },
    "client",
    /100\.0 requests were in flight of 120 asked for/,
  ],
  [
    "users that are not in flight because requests fail",
    { levels: [{ ...free, asked: 120, isNeverFull: true, failed: 300 }] },
    null,
    /300 of 1000 requests failed/,
  ],
  ["no metrics", { levels: [{ ...free, scrapes: 0 }] }, null, /metrics were not read/],
  ["two scrapes", { levels: [{ ...queued, scrapes: 2 }] }, null, /2 scrapes .* 3 are needed/],
  ["no gauge of the KV cache", { levels: [{ ...queued, kv: 0 }] }, null, /does not say how full/],
  ["no level", { levels: [] }, null, /no level was measured/],
  [
    "a full KV cache with requests waiting",
    { levels: [kvFull] },
    "kv",
    /98 % full \(limit 95 %\), 50\.0 requests waited on average and 0 were preempted/,
  ],
  [
    "a full KV cache with preemptions",
    { levels: [{ ...free, kv: 0.96, preemptions: 7 }] },
    "kv",
    /7 were preempted/,
  ],
  [
    "a full KV cache that nobody waits for",
    { levels: [{ ...free, kv: 0.96 }] },
    null,
    /yet nothing stood waiting/,
  ],
  [
    "preemptions though the cache never looked full",
    { levels: [{ ...free, preemptions: 7 }] },
    null,
    /7 requests were preempted/,
  ],
  [
    "requests waiting while a bound runs",
    { levels: [queued] },
    "queue",
    /72\.0 requests waited on average while it ran 128 and no more \(in 10 of 10 scrapes\), though its KV cache was at most 50 % full/,
  ],
  [
    "a bound from which single scrapes stray",
    { levels: [{ ...queued, running: [128, 128, 128, 90] }] },
    "queue",
    /in 8 of 10 scrapes/,
  ],
  [
    "requests waiting while any number runs",
    { levels: [{ ...queued, running: [60, 128, 90] }] },
    null,
    /60 to 128 ran: at no standing bound/,
  ],
  [
    "requests waiting now and then",
    { levels: [{ ...queued, running: 180, waiting: [0, 0, 0, 80] }] },
    null,
    /only in 2 of 10 scrapes/,
  ],
  [
    "a bound so small that one more request may not fit",
    { levels: [{ ...queued, inFlight: 4, running: 2, waiting: 2, kv: 0.7 }] },
    null,
    /queue or KV cache/,
  ],
  [
    "output that stands while the time between tokens rises",
    { levels: [free, saturated] },
    "compute",
    /from 100\.0 in flight \(u100\) to 200\.0 \(u200\), x 2\.00, output grew x 1\.05 \(power 0\.07\) and the time between tokens x 1\.90, to 38\.0 ms, while 0\.0 waited and the KV cache was at most 20 % full/,
  ],
  ["the same levels in the other order", { levels: [saturated, free] }, "compute", /from 100\.0 in flight/],
  [
    "output that stands though the time between tokens does not rise",
    { levels: [free, { ...saturated, itlUs: 20_000 }] },
    null,
    /not for the time between tokens/,
  ],
  [
    "output that grows, but not with the load",
    { levels: [free, { ...saturated, outputTokensPerS: 7500 }] },
    null,
    /power 0\.58.* less than a free one's/,
  ],
  [
    "output that grows with the load",
    { levels: [free, { inFlight: 200, outputTokensPerS: 9500 }] },
    "nobody",
    /output grew x 1\.90 .*0\.0 waited and the KV cache was at most 20 % full, and 0 of 240 agent intervals were red/,
  ],
  [
    "levels that are too close to each other",
    { levels: [free, { inFlight: 110 }] },
    null,
    /alone does not say/,
  ],
  [
    "a lower level that was too short",
    { levels: [{ ...free, tooShort: true }, saturated] },
    null,
    /alone does not say/,
  ],
  [
    "a level of which the server sees half",
    { levels: [free, { ...saturated, running: 100 }] },
    null,
    /saw 100\.0 of 200\.0 requests in flight/,
  ],
  [
    "a level of the greatest load that was too short",
    { levels: [free, { ...saturated, tooShort: true }] },
    null,
    /level u200 is too short/,
  ],
  [
    "three levels, of which the lower two are free",
    { levels: [{ inFlight: 1 }, free, saturated] },
    "compute",
    /from 100\.0 in flight \(u100\)/,
  ],
  ["one level", { levels: [free] }, null, /alone does not say/],
];

for (const [name, shape, by, sentence] of table) {
  test(`${name}: ${by ?? "not known who"} was the limit, and the sentence says why`, () => {
    const limit = judgeLimit(inputOf(shape));
    assert.deepEqual([limit.by, sentence.test(limit.sentence)], [by, true], limit.sentence);
    assert.equal(limit.by === null, limit.sentence.startsWith("Who was the limit is not known"));
  });
}

/** Scrapes of a second each: what ran, and the server's inter-token time in it. */
function ramp(steps: readonly (readonly [number, number])[]): ServerSample[] {
  let [count, sumUs] = [0, 0];
  return steps.map(([running, itlUs], i) => {
    count += 1000;
    sumUs += 1000 * itlUs;
    return sampleAt(i * S, {
      running,
      kvUsage: 0.1,
      times: { ttft: null, itl: { count, sumUs }, e2e: null },
    });
  });
}

test("one level is compared with the server's own time between tokens while it was lightly loaded", () => {
  const single = (lightItlUs: number, itlMeanUs: number) => {
    const input = inputOf({
      levels: [free],
      earlier: ramp([
        [10, lightItlUs],
        [25, lightItlUs],
        [25, lightItlUs],
        [80, 900_000],
      ]),
    });
    return judgeLimit({
      ...input,
      levels: input.levels.map((level) => ({
        ...level,
        row: { ...level.row, server: { ...level.row.server, itlMeanUs } },
      })),
    });
  };
  const compute = single(20_000, 84_000);
  assert.equal(compute.by, "compute", compute.sentence);
  assert.match(compute.sentence, /by the server's own times, from 21\.3 running to 100\.0/);
  assert.equal(single(20_000, 22_000).by, "nobody");
  assert.equal(single(20_000, 45_000).by, null);
});

test("a red client is the limit, whatever else could be", () => {
  for (let seed = 1; seed <= 300; seed += 1) {
    const random = seeded(seed);
    const pick = (values: readonly number[]) => values[Math.floor(random() * values.length)] ?? 0;
    const level = (): LevelShape => ({
      inFlight: pick([1, 50, 400]),
      asked: random() < 0.3 ? null : pick([1, 50, 400]),
      running: [pick([0, 50, 400]), pick([0, 50, 400])],
      waiting: [pick([0, 0, 90]), pick([0, 0, 90])],
      kv: pick([0, 0.3, 0.97]),
      preemptions: pick([0, 9]),
      outputTokensPerS: pick([0, 400, 9000]),
      itlUs: pick([5000, 80_000]),
      failed: pick([0, 500]),
      tooShort: random() < 0.2,
      isNeverFull: random() < 0.2,
      scrapes: pick([0, 10]),
    });
    const levels = Array.from({ length: Math.floor(random() * 4) }, level);
    const red = 3 + Math.floor(random() * 200);
    assert.equal(judgeLimit(inputOf({ levels, red })).by, "client", `seed ${seed}`);
    const { by, sentence } = judgeLimit(inputOf({ levels }));
    assert.doesNotMatch(sentence, /NaN|Infinity|undefined|null/, `seed ${seed}: ${by}`);
    // Two of 240 are under 1 %: they change nothing but the count that is told.
    assert.equal(judgeLimit(inputOf({ levels, red: 2 })).by, by, `seed ${seed}`);
  }
});
