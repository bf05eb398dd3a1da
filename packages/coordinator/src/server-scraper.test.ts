import assert from "node:assert/strict";
import { test } from "node:test";
import { LoadError, type PlanInput, type ServerSample } from "@tokenstorm/core";
import { VirtualClock } from "@tokenstorm/testkit";
import type { HttpGet } from "./deps.js";
import { ServerScraper } from "./server-scraper.js";
import { testPlan } from "./testing/cluster.js";
import { engineMetrics } from "./testing/engine-metrics.js";

const page = (figures: Parameters<typeof engineMetrics>[0]) => ({
  status: 200,
  body: engineMetrics(figures),
});

/** A scraper whose target answers as scripted; the last answer stays. */
function scraped(
  answers: readonly (() => Promise<{ status: number; body: string }>)[],
  plan: Partial<PlanInput> = {},
) {
  const clock = new VirtualClock({ nowUs: 5_000_000 });
  const asked: { readonly url: string; readonly atUs: number; readonly timeoutMs: number }[] = [];
  const samples: ServerSample[] = [];
  const notes: string[] = [];
  const http: HttpGet = (url, { timeoutMs }) => {
    asked.push({ url, atUs: clock.nowUs(), timeoutMs });
    const answer = answers[Math.min(asked.length, answers.length) - 1];
    assert.ok(answer !== undefined);
    return answer();
  };
  const scraper = new ServerScraper({
    plan: testPlan(plan),
    clock,
    http,
    onSample: (sample) => samples.push(sample),
    onNote: (text) => notes.push(text),
  });
  return { clock, scraper, asked, samples, notes };
}

test("at rest means two scrapes, 200 ms apart, that are equal and show nothing open", async () => {
  const { clock, scraper, asked } = scraped([
    async () => page({ running: 1, generationTokens: 5 }),
    async () => page({ waiting: 1, generationTokens: 5 }),
    async () => page({ generationTokens: 5 }),
    async () => page({ generationTokens: 6 }),
    async () => page({ generationTokens: 6 }),
  ]);
  const quiescent = scraper.quiescent();
  await clock.advanceByAsync(6_000_000);
  const scrape = await quiescent;
  assert.equal(scrape?.quiescent, true);
  assert.equal(scrape?.counters.generationTokens, 6);
  assert.deepEqual(
    asked.map(({ atUs }) => (atUs - 5_000_000) / 1000),
    [0, 200, 400, 600, 800],
  );
});

test("a server that is busy just before is not at rest", async () => {
  const { clock, scraper, asked } = scraped([async () => page({ running: 1 }), async () => page({})]);
  const quiescent = scraper.quiescent();
  await clock.advanceByAsync(1_000_000);
  assert.equal((await quiescent)?.quiescent, true);
  assert.equal(asked.length, 3);
});

test("a target without metrics is asked once, and never again", async () => {
  for (const answer of [
    { status: 404, body: "" },
    { status: 401, body: "" },
    { status: 200, body: "<html>" },
  ]) {
    const { clock, scraper, asked, notes } = scraped([async () => answer]);
    assert.equal(await scraper.quiescent(), null);
    scraper.watch(clock.nowUs());
    await clock.advanceByAsync(5_000_000);
    assert.equal(asked.length, 1);
    assert.match(notes.join(), /^no metrics of the target: http:\/\/127\.0\.0\.1:8000\/metrics/);
  }
});

test("a server that does not answer is asked again for five seconds", async () => {
  const refuse = async () => {
    throw new Error("connection refused\nwith a second line");
  };
  const { clock, scraper, notes } = scraped([refuse]);
  const quiescent = scraper.quiescent();
  await clock.advanceByAsync(6_000_000);
  assert.equal(await quiescent, null);
  assert.deepEqual(notes, ["no metrics of the target: http://127.0.0.1:8000/metrics: connection refused"]);
  const late = scraped([refuse, refuse, async () => page({})]);
  const found = late.scraper.quiescent();
  await late.clock.advanceByAsync(1_000_000);
  assert.equal((await found)?.quiescent, true);
});

test("several servers are one sum, and nothing when one of them is missing", async () => {
  const urls = { target: { urls: ["http://h:1", "http://h:2/vllm"] } };
  const both = scraped([async () => page({ promptTokens: 4 })], urls);
  const quiescent = both.scraper.quiescent();
  await both.clock.advanceByAsync(1_000_000);
  assert.equal((await quiescent)?.counters.promptTokens, 8);
  assert.deepEqual(
    [...new Set(both.asked.map(({ url }) => url))],
    ["http://h:1/metrics", "http://h:2/vllm/metrics"],
  );
  const one = scraped([async () => page({}), async () => ({ status: 404, body: "" })], urls);
  assert.equal(await one.scraper.quiescent(), null);
  const named = scraped([async () => page({})], { ...urls, metricsUrls: ["http://m:9"] });
  void named.scraper.quiescent();
  assert.deepEqual(
    named.asked.map(({ url }) => url),
    ["http://m:9/metrics"],
  );
});

test("gauges are read at multiples of the interval in run time, and a slow answer is a gap, not a queue", async () => {
  let open = 0;
  let most = 0;
  const clock = new VirtualClock({ nowUs: 5_000_000 });
  const samples: ServerSample[] = [];
  const timeouts = new Set<number>();
  let slowMs = 20;
  const scraper = new ServerScraper({
    plan: testPlan({ intervalMs: 500 }),
    clock,
    http: async (_, { timeoutMs }) => {
      timeouts.add(timeoutMs);
      open += 1;
      most = Math.max(most, open);
      await new Promise<void>((resolve) => clock.at(clock.nowUs() + slowMs * 1000, resolve));
      open -= 1;
      return page({ running: 7 });
    },
    onSample: (sample) => samples.push(sample),
    onNote: () => undefined,
  });
  scraper.watch(6_000_000);
  await clock.advanceByAsync(3_100_000);
  assert.deepEqual(
    samples.map(({ tUs, running }) => [tUs, running]),
    [500, 1000, 1500, 2000].map((ms) => [ms * 1000 + 10_000, 7]),
  );
  slowMs = 1700;
  await clock.advanceByAsync(4_000_000);
  assert.equal(most, 1);
  scraper.stopWatching();
  scraper.stopWatching();
  const { length } = samples;
  await clock.advanceByAsync(4_000_000);
  assert.equal(samples.length, length);
  assert.ok([...timeouts].every((timeoutMs) => timeoutMs < 500));
});

test("short intervals are scraped every so many, on the same grid", async () => {
  const { clock, scraper, asked } = scraped([async () => page({})], { intervalMs: 30 });
  scraper.watch(5_000_000);
  await clock.advanceByAsync(1_000_000);
  assert.deepEqual(
    asked.slice(0, 3).map(({ atUs }) => (atUs - 5_000_000) / 1000),
    [120, 240, 360],
  );
});

test("a target that may not be scraped is told once, costs no wait, and is not asked again", async () => {
  const forbidden = new LoadError("TARGET_UNREACHABLE", "the coordinator may not connect to http://h:1");
  const { clock, scraper, asked, notes } = scraped([() => Promise.reject(forbidden)]);
  assert.equal(await scraper.quiescent(), null);
  scraper.watch(6_000_000);
  await clock.advanceByAsync(5_000_000);
  assert.equal(await scraper.quiescent(), null);
  assert.equal(asked.length, 1);
  assert.equal(notes.length, 1);
  assert.match(
    notes[0] ?? "",
    /^no metrics of the target: .*: the coordinator may not connect to http:\/\/h:1$/,
  );
});
