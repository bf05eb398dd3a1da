import assert from "node:assert/strict";
import { test } from "node:test";
import { resolveStages } from "../load/resolve-stages.js";
import { traceArrivals } from "../load/trace-arrivals.js";
import { requirePlan } from "../plan/parse-plan.js";
import { NO_CALIBRATION } from "./calibration.js";
import { dataSetFacts, dataSetsOf, withDataSetFacts } from "./data-sets-of.js";
import { parseTrace, type TraceSource, traceLengthMs } from "./trace.js";
import { walkDigest } from "./walk-digest.js";
import { createWorkload } from "./workload.js";

const source = (change: Partial<TraceSource> = {}): TraceSource => ({
  file: "t.jsonl",
  format: "auto",
  speed: 1,
  fromMs: 0,
  ...change,
});
const line = (timestamp: number, input_length: number, output_length: number, hash_ids?: readonly number[]) =>
  JSON.stringify({ timestamp, input_length, output_length, hash_ids });

const MOONCAKE = [
  line(0, 1000, 10, [1, 2]),
  line(27_482, 600, 20, [1, 3]),
  line(27_482, 1200, 30, [1, 2, 4]),
  line(60_000, 100, 0),
].join("\n");

test("a Mooncake trace gives its requests at their times, with lengths and blocks", () => {
  assert.deepEqual(parseTrace(MOONCAKE, source()), [
    { dueUs: 0, inputTokens: 1000, outputTokens: 10, blocks: [1, 2] },
    { dueUs: 27_482_000, inputTokens: 600, outputTokens: 20, blocks: [1, 3] },
    { dueUs: 27_482_000, inputTokens: 1200, outputTokens: 30, blocks: [1, 2, 4] },
    { dueUs: 60_000_000, inputTokens: 100, outputTokens: 1, blocks: null },
  ]);
});

test("an Azure trace begins with its earliest line, to the microsecond, whatever its columns' order and zone", () => {
  const text = [
    "TIMESTAMP,ContextTokens,GeneratedTokens",
    "2023-11-16 18:17:03.9799600,4808,10",
    "2023-11-16 18:17:04.0319600,110,27",
    "2023-11-16 18:17:03.9799599,5,1",
  ].join("\r\n");
  assert.deepEqual(
    parseTrace(text, source({ file: "a.csv" })).map(({ dueUs, inputTokens }) => [dueUs, inputTokens]),
    [
      [0, 5],
      [1, 4808],
      [52_001, 110],
    ],
  );
  const later = [
    "GeneratedTokens,TIMESTAMP,ContextTokens",
    "7,2024-02-28 23:59:59.500000+00:00,1",
    "8,2024-03-01 01:00:00.500000+01:00,2",
  ].join("\n");
  assert.deepEqual(
    parseTrace(later, source({ format: "azure" })).map(({ dueUs, outputTokens }) => [dueUs, outputTokens]),
    [
      [0, 7],
      // The 29th of February lies between.
      [86_401_000_000, 8],
    ],
  );
});

test("a part of a trace is sent as if it were all, at the speed that the plan says", () => {
  const part = source({ fromMs: 20_000, durationMs: 40_000, speed: 2 });
  const entries = parseTrace(MOONCAKE, part);
  assert.deepEqual(
    entries.map(({ dueUs }) => dueUs),
    [3_741_000, 3_741_000],
  );
  assert.equal(traceLengthMs(entries, part), 20_000);
  assert.equal(traceLengthMs(parseTrace(MOONCAKE, source()), source()), 60_001);
});

const refused: Readonly<Record<string, readonly [string, RegExp, Partial<TraceSource>?]>> = {
  "a line without its time": [
    '{"input_length":1,"output_length":1}',
    /^t\.jsonl, line 1: timestamp must be a number/,
  ],
  "a length that is none": [
    `${line(0, 1, 1)}\n${line(1, 1.5, 1)}`,
    /line 2: input_length must be a whole number/,
  ],
  "ids that are no list": [
    '{"timestamp":0,"input_length":1,"output_length":1,"hash_ids":"a"}',
    /line 1: hash_ids/,
  ],
  "what is no JSON": ["timestamp", /line 1: is no JSON/],
  "a CSV without a column": [
    "TIMESTAMP,ContextTokens\n",
    /line 1: has no column GeneratedTokens/,
    { format: "azure" },
  ],
  "a time that is none": [
    "TIMESTAMP,ContextTokens,GeneratedTokens\nyesterday,1,1",
    /line 2: TIMESTAMP must be a time/,
    { format: "azure" },
  ],
  "a cell without a number": [
    "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:17:03,,1",
    /line 2: ContextTokens/,
    { format: "azure" },
  ],
  "nothing in its part": [MOONCAKE, /no request in the part/, { fromMs: 90_000 }],
  "nothing at all": ["\n", /has no request in it/],
};

for (const [what, [text, message, change]] of Object.entries(refused)) {
  test(`a trace is refused by name and line for ${what}`, () =>
    assert.throws(() => parseTrace(text, source(change ?? {})), { code: "DATASET_INVALID", message }));
}

/** As it is submitted. */
function planOf(text: string, change: object = {}) {
  const plan = requirePlan({
    version: 1,
    target: { urls: ["http://h:8000"] },
    load: { kind: "trace", file: "t.jsonl", ...change },
    warmUp: { requests: 0 },
  });
  const [ref] = dataSetsOf(plan);
  assert.ok(ref !== undefined);
  const content = ref.parse(text);
  assert.ok(content.kind === "trace");
  const facts = dataSetFacts(content, { sha256: "0".repeat(64), bytes: text.length });
  return { plan: withDataSetFacts(plan, new Map([[ref.file, facts]])), trace: content.entries };
}

test("a trace is one stage, measured whole, and its workload is its own unless the plan says otherwise", () => {
  const { plan } = planOf(MOONCAKE);
  assert.equal(plan.workload.kind, "trace");
  const [stage, ...more] = resolveStages(plan);
  assert.deepEqual([stage?.name, stage?.kind, more.length], ["trace", "rate", 0]);
  assert.ok(stage?.kind === "rate");
  assert.equal(stage.durationUs, 60_001_000);
  assert.ok(Math.abs((stage.fromRps * stage.durationUs) / 1e6 - 4) < 1e-9);
});

test("any number of agents together send a trace's requests at its times, each once", () => {
  const { plan, trace } = planOf(MOONCAKE);
  const stages = resolveStages(plan);
  const of = (index: number, count: number) => [
    ...traceArrivals({ entries: trace, stages, shard: { index, count } }),
  ];
  const alone = of(0, 1);
  assert.deepEqual(
    alone.map(({ dueUs, key }) => [dueUs, key.k]),
    trace.map(({ dueUs }, k) => [dueUs, k]),
  );
  for (const count of [2, 3, 7]) {
    const shared = Array.from({ length: count }, (_, index) => of(index, count)).flat();
    assert.deepEqual(
      shared.sort((a, b) => a.key.k - b.key.k),
      alone,
    );
  }
});

function words(salt: string, k: number): string[] {
  const { plan, trace } = planOf(MOONCAKE);
  const requests = createWorkload(plan, { salt, calibration: NO_CALIBRATION, trace });
  const { prompt } = requests.requestFor({ kind: "open", stage: 0, k });
  assert.ok(prompt.kind === "text");
  return prompt.text.split(" ");
}

test("prompts share their text as far as they share blocks, and are as long as the trace's", () => {
  const [first, second, third, fourth] = [0, 1, 2, 3].map((k) => words("s", k));
  assert.ok(first && second && third && fourth);
  assert.deepEqual([first.length, second.length, third.length, fourth.length], [1000, 600, 1200, 100]);
  assert.deepEqual(second.slice(0, 512), first.slice(0, 512));
  assert.notDeepEqual(second.slice(512, 519), first.slice(512, 519));
  assert.deepEqual(third.slice(0, 1000), first);
  assert.notDeepEqual(fourth.slice(0, 7), first.slice(0, 7));
  assert.notDeepEqual(words("other", 0).slice(0, 7), first.slice(0, 7));
  assert.deepEqual(words("other", 0).slice(7, 512), first.slice(7, 512));
});

test("a digest changes with any request of a trace, its time or its blocks", () => {
  const digest = (text: string) => {
    const { plan, trace } = planOf(text);
    return walkDigest(plan, { salt: "s", calibration: NO_CALIBRATION, trace });
  };
  const whole = digest(MOONCAKE);
  assert.equal(digest(MOONCAKE), whole);
  for (const [from, to] of [
    ["60000", "60001"],
    ["[1,3]", "[1,5]"],
    ['"output_length":30', '"output_length":31'],
  ] as const)
    assert.notEqual(digest(MOONCAKE.replace(from, to)), whole, from);
});
