import assert from "node:assert/strict";
import { test } from "node:test";
import { parsePrometheus } from "./prometheus.js";
import { engineMetrics } from "./testing/engine-metrics.js";
import { addServerMetrics, countersOf, readServerMetrics } from "./vllm-metrics.js";

test("a page of vLLM 0.14 gives gauges, and counters without what did not succeed", () => {
  const metrics = readServerMetrics(
    engineMetrics({ running: 2, waiting: 1, promptTokens: 10, generationTokens: 20 }),
  );
  assert.deepEqual(metrics, {
    running: 2,
    waiting: 1,
    kvUsage: 0.25,
    promptTokens: 10,
    generationTokens: 20,
    successes: 7,
    preemptions: 0,
    prefixHits: 6,
    prefixQueries: 1_234_000,
  });
  assert.deepEqual(Object.keys(countersOf(metrics)).sort(), [
    "generationTokens",
    "preemptions",
    "prefixHits",
    "prefixQueries",
    "promptTokens",
    "successes",
  ]);
});

test("engines and models of one page are added up, the fullest cache counts", () => {
  const page = [
    'vllm:num_requests_running{engine="0",model_name="a"} 3',
    'vllm:num_requests_running{engine="1",model_name="a"} 4',
    'vllm:num_requests_waiting{engine="0",model_name="a"} 0',
    'vllm:num_requests_waiting{engine="1",model_name="a"} 5',
    'vllm:kv_cache_usage_perc{engine="0",model_name="a"} 0.2',
    'vllm:kv_cache_usage_perc{engine="1",model_name="a"} 0.9',
  ].join("\n");
  const one = readServerMetrics(page);
  assert.deepEqual([one.running, one.waiting, one.kvUsage], [7, 5, 0.9]);
  const two = addServerMetrics([one, readServerMetrics(engineMetrics({ running: 1, generationTokens: 8 }))]);
  assert.deepEqual([two.running, two.waiting, two.kvUsage, two.generationTokens], [8, 5, 0.9, 8]);
});

test("the size of a cache block is told, the smallest of several engines', and only where it is known", () => {
  const page = (size: string) =>
    readServerMetrics(
      `${engineMetrics({ running: 1 })}\nvllm:cache_config_info{block_size="${size}",engine="0"} 1.0`,
    );
  assert.equal(page("16").blockTokens, 16);
  assert.equal("blockTokens" in page("None"), false);
  assert.equal(addServerMetrics([page("16"), page("None"), page("1")]).blockTokens, 1);
  assert.equal("blockTokens" in addServerMetrics([page("None")]), false);
});

test("the names of older releases are read, and not added to the newer ones", () => {
  const old = [
    "vllm:num_requests_running 1",
    "vllm:num_requests_waiting 0",
    "vllm:gpu_cache_usage_perc 0.5",
    "vllm:gpu_prefix_cache_hits_total 7",
  ];
  assert.equal(readServerMetrics(old.join("\n")).kvUsage, 0.5);
  assert.equal(readServerMetrics(old.join("\n")).prefixHits, 7);
  const both = [...old, "vllm:prefix_cache_hits_total 7"].join("\n");
  assert.equal(readServerMetrics(both).prefixHits, 7);
});

test("a page that is not vLLM's, or is broken where it matters, is refused in words", () => {
  const table: readonly (readonly [string, RegExp])[] = [
    ["", /has no vllm:num_requests_running/],
    ["go_goroutines 7\n", /has no vllm:num_requests_running/],
    ["<html>404</html>", /has no vllm:num_requests_running/],
    ["vllm:num_requests_running 1\n", /has no vllm:num_requests_waiting/],
    ["vllm:num_requests_running NaN\nvllm:num_requests_waiting 0", /running is NaN/],
    ["vllm:num_requests_running +Inf\nvllm:num_requests_waiting 0", /running is Infinity/],
    ["vllm:num_requests_running -1\nvllm:num_requests_waiting 0", /running is -1/],
    ["vllm:num_requests_running\nvllm:num_requests_waiting 0", /line 1 is no sample/],
    ["vllm:num_requests_running one\nvllm:num_requests_waiting 0", /line 1 is no sample/],
    ["vllm:num_requests_running 0x10\nvllm:num_requests_waiting 0", /line 1 is no sample/],
    ['vllm:num_requests_running{engine="0} 1', /line 1 is no sample/],
    ['vllm:num_requests_running{engine="0" model="a"} 1', /line 1 is no sample/],
    [
      "vllm:num_requests_waiting 0\nvllm:num_requests_running 1\nvllm:num_requests_running 1",
      /line 3 repeats/,
    ],
  ];
  for (const [page, says] of table) assert.throws(() => readServerMetrics(page), says, page);
});

test("labels, timestamps, exemplars and odd spacing are read as the format says", () => {
  const wanted = new Set(["m", "n"]);
  const table: readonly (readonly [string, Readonly<Record<string, string>>, number])[] = [
    ["m 1", {}, 1],
    ["m{} 1", {}, 1],
    ["m 1 1700000000000", {}, 1],
    ['m{a="b"} 1.5e+3', { a: "b" }, 1500],
    ['m{a="b",} 2', { a: "b" }, 2],
    ['m{ a = "b" , c = "d" }  3', { a: "b", c: "d" }, 3],
    ['m{a="x\\"y\\\\z\\nw"} 4', { a: 'x"y\\z\nw' }, 4],
    ['m{a="},{"} 5', { a: "},{" }, 5],
    ['m{a="b"} 6 # {trace_id="t"} 1 2', { a: "b" }, 6],
    ["m .5\r", {}, 0.5],
    ["m -Inf", {}, Number.NEGATIVE_INFINITY],
  ];
  for (const [line, labels, value] of table) {
    assert.deepEqual(parsePrometheus(line, wanted), [{ name: "m", labels, value }], line);
  }
  assert.deepEqual(parsePrometheus("# m 1\n\nmm 1\nother{broken 1\nm_total 1\n# EOF\n", wanted), []);
});

const timesPage = (
  name: string,
  engine: number,
  values: { readonly sum?: number; readonly count?: number },
) =>
  Object.entries(values)
    .map(([part, value]) => `vllm:${name}_seconds_${part}{engine="${engine}"} ${value}\n`)
    .join("");

test("sums and counts of the target's own times are read, over engines and by the name of its release", () => {
  const page =
    engineMetrics({}) +
    timesPage("time_to_first_token", 0, { sum: 1.5, count: 3 }) +
    timesPage("time_to_first_token", 1, { sum: 0.25, count: 1 }) +
    timesPage("time_per_output_token", 0, { sum: 0.0203, count: 2 }) +
    timesPage("e2e_request_latency", 0, { sum: 4 });
  const { times } = readServerMetrics(page);
  assert.deepEqual(times, {
    ttft: { sumUs: 1_750_000, count: 4 },
    itl: { sumUs: 20_300, count: 2 },
    e2e: null,
  });
});

test("times of several servers add up, and where one does not tell them the mean of the rest is none", () => {
  const told = readServerMetrics(
    engineMetrics({}) + timesPage("time_to_first_token", 0, { sum: 1, count: 2 }),
  );
  const untold = readServerMetrics(engineMetrics({}));
  assert.deepEqual(addServerMetrics([told, told]).times?.ttft, { sumUs: 2_000_000, count: 4 });
  assert.equal(addServerMetrics([told, untold]).times, undefined);
});

test("times that are no numbers are none, and the rest of the page is read all the same", () => {
  const page =
    engineMetrics({ running: 3 }) +
    timesPage("time_to_first_token", 0, { sum: Number.NaN, count: 2 }) +
    timesPage("e2e_request_latency", 0, { sum: -0.5, count: 2 }) +
    timesPage("inter_token_latency", 0, { sum: 0.5, count: 2 });
  const { running, times } = readServerMetrics(page);
  assert.deepEqual([running, times?.ttft, times?.e2e], [3, null, null]);
  assert.deepEqual(times?.itl, { sumUs: 500_000, count: 2 });
});
