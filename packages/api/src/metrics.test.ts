import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { lintMetrics, promtoolOrSkip } from "@tokenstorm/testkit";
import { FAMILIES, type Family } from "./metrics/families.js";
import { ask } from "./testing/ask.js";
import { aLiveUpdate, World } from "./testing/world.js";

async function page(world: World): Promise<string> {
  const answer = await ask(`${world.url}/metrics`);
  assert.equal(answer.headers["content-type"], "text/plain; version=0.0.4; charset=utf-8");
  return answer.text;
}

/** Series with their values, without comments. */
function seriesOf(text: string): ReadonlyMap<string, string> {
  const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return new Map(
    lines.map((line) => [line.slice(0, line.lastIndexOf(" ")), line.slice(line.lastIndexOf(" ") + 1)]),
  );
}

/** A leader, two agents, a run under way and one that has ended. */
async function busyWorld(t: TestContext): Promise<World> {
  const world = await World.start(t);
  await world.beacon();
  await world.heartbeat("a1");
  await world.heartbeat("a2", { state: "idle", run: null, vitals: null, ledger: null });
  await world.live({ run: "r0", state: "completed" });
  await world.live();
  return world;
}

test("promtool has nothing to find fault with, whatever names hold", async (t) => {
  const bin = promtoolOrSkip(t);
  if (bin === undefined) return;
  assert.match(await lintMetrics(bin, "# TYPE a counter\na 1\n"), /_total/, "it does look");
  const empty = await World.start(t);
  assert.equal(await lintMetrics(bin, await page(empty)), "");
  const world = await busyWorld(t);
  const nasty = 'a "quote", a \\ and\na line, \u{1f600}\ud800}';
  await world.heartbeat("a3", { host: nasty });
  const [first] = aLiveUpdate.stages ?? [];
  assert.ok(first !== undefined);
  const stages = [0, 1, 2].map((index) => ({ ...first, index, name: nasty }));
  const stage = { index: 2, count: 3, name: nasty, phase: "measured" as const, leftUs: null };
  const measuredStage = 2;
  await world.live({ run: "r2", name: nasty, failures: { [nasty]: 1 }, stages, stage, measuredStage });
  const text = await page(world);
  assert.equal(await lintMetrics(bin, text), "");
  assert.match(text, /host="a \\"quote\\", a \\\\ and\\na line, \u{1f600}\ufffd+\}"/u);
});

test("figures stand in base units, under the run, stage or agent that they are of", async (t) => {
  const series = seriesOf(await page(await busyWorld(t)));
  const u100 = 'run="r1",name="nightly",stage="u100"';
  const a1 = 'agent="a1",host="host-1"';
  const expected: Readonly<Record<string, string>> = {
    tokenstorm_leading: "1",
    tokenstorm_leader_term: "3",
    tokenstorm_leader_refused_messages_total: "2",
    'tokenstorm_run_info{run="r1",name="nightly",state="running"}': "1",
    'tokenstorm_run_time_seconds{run="r1",name="nightly"}': "5.5",
    [`tokenstorm_requests_in_flight{${u100}}`]: "99.5",
    [`tokenstorm_requests_in_flight_asked{${u100}}`]: "100",
    [`tokenstorm_requests_per_second{${u100}}`]: "1.5",
    [`tokenstorm_output_tokens_per_second{${u100}}`]: "2",
    [`tokenstorm_prompt_tokens_per_second{${u100}}`]: "3",
    [`tokenstorm_time_to_first_token_seconds{${u100},quantile="0.5"}`]: "0.2",
    [`tokenstorm_time_to_first_token_seconds{${u100},quantile="0.9"}`]: "0.3",
    [`tokenstorm_time_to_first_token_seconds{${u100},quantile="0.99"}`]: "0.5",
    [`tokenstorm_time_to_first_token_seconds_sum{${u100}}`]: "1",
    [`tokenstorm_time_to_first_token_seconds_count{${u100}}`]: "4",
    [`tokenstorm_inter_token_latency_seconds{${u100},quantile="0.5"}`]: "NaN",
    [`tokenstorm_e2e_request_latency_seconds{${u100},quantile="0.99"}`]: "3",
    [`tokenstorm_requests_offered_total{${u100}}`]: "5",
    [`tokenstorm_requests_total{${u100},outcome="completed"}`]: "3",
    [`tokenstorm_requests_total{${u100},outcome="dropped"}`]: "1",
    'tokenstorm_request_failures_total{run="r1",name="nightly",reason="connect-refused"}': "1",
    [`tokenstorm_output_tokens_total{${u100}}`]: "70",
    'tokenstorm_server_kv_cache_usage_ratio{run="r1",name="nightly"}': "0.5",
    'tokenstorm_agents{state="idle"}': "1",
    'tokenstorm_agents{state="running"}': "1",
    tokenstorm_agents_unlisted: "0",
    tokenstorm_heartbeats_dropped_total: "0",
    [`tokenstorm_agent_colour{${a1}}`]: "1",
    [`tokenstorm_agent_cpu_cores{${a1}}`]: "0.38",
    [`tokenstorm_agent_loop_delay_p99_seconds{${a1}}`]: "0.0009",
    [`tokenstorm_agent_schedule_lag_p99_seconds{${a1}}`]: "0.0008",
    [`tokenstorm_agent_resident_memory_bytes{${a1}}`]: "120000000",
    [`tokenstorm_agent_open_sockets{${a1}}`]: "250",
    [`tokenstorm_agent_open_descriptors{${a1}}`]: "300",
    [`tokenstorm_agent_coalesced_events_ratio{${a1}}`]: "0.001",
    [`tokenstorm_agent_refused_messages_total{${a1}}`]: "4",
  };
  for (const [name, value] of Object.entries(expected)) assert.equal(series.get(name), value, name);
});

test("only the present stage has quantiles and rates, and a run that is over has counts alone", async (t) => {
  const names = [...seriesOf(await page(await busyWorld(t))).keys()];
  const of = (...parts: readonly string[]) =>
    names.filter((name) => parts.every((part) => name.includes(part)));
  assert.equal(of('run="r1"', "quantile=").length, 9);
  assert.equal(of('run="r1"', 'stage="warm-up"', "quantile=").length, 0);
  assert.equal(of('run="r1"', 'stage="warm-up"', "_seconds_sum").length, 3);
  assert.equal(of('run="r0"', "_seconds_count").length, 6);
  for (const part of ["quantile=", "in_flight", "per_second", "tokenstorm_server"]) {
    assert.deepEqual(of('run="r0"', part), [], part);
  }
});

test("an agent's colour is what the leader says of it during a run, and its own vitals' after the end", async (t) => {
  const world = await World.start(t);
  await world.heartbeat("a1");
  const colour = async () =>
    seriesOf(await page(world)).get('tokenstorm_agent_colour{agent="a1",host="host-1"}');
  const agents = aLiveUpdate.agents.map((agent) => ({ ...agent, colour: "red" as const }));
  await world.live({ agents });
  assert.equal(await colour(), "2");
  await world.live({ agents, state: "completed" });
  assert.equal(await colour(), "0");
});

test("series are bounded: the last run that ended, runs that are heard, and so many agents", async (t) => {
  const world = await World.start(t, { limits: { metricAgents: 3, metricRuns: 2 } });
  for (let i = 0; i < 5; i += 1) {
    await world.heartbeat(`a${i}`);
    await world.live({ run: `over${i}`, state: "completed" });
    await world.live({ run: `on${i}` });
  }
  // The end of a run is told again while the next one goes on; it is no news.
  await world.live({ run: "over4", state: "completed", runTimeUs: 1 });
  const runsOf = (text: string) =>
    new Set([...text.matchAll(/_run_info\{run="(\w+)"/g)].map(([, run]) => run));
  const text = await page(world);
  assert.deepEqual([...runsOf(text)].sort(), ["on0", "on1", "over4"]);
  assert.match(text, /run_time_seconds\{run="over4",name="nightly"\} 5.5/);
  assert.match(text, /^tokenstorm_agents_unlisted 2$/m);
  assert.equal(text.match(/^tokenstorm_agent_silence_seconds/gm)?.length, 3);
  await world.pass(31_000);
  assert.deepEqual([...runsOf(await page(world))], ["over4"]);
});

test("at an edge the old stage keeps its figures until the new one has some; only what is asked is the new one's", async (t) => {
  const world = await World.start(t);
  const of = async (measuredStage: number | undefined) => {
    await world.live({ measuredStage });
    const names = [...seriesOf(await page(world)).keys()];
    return (part: string) =>
      names.filter((name) => name.includes(part)).map((name) => /stage="([^"]+)"/.exec(name)?.[1]);
  };
  const edge = await of(0);
  assert.deepEqual(edge("_requests_per_second{"), ["warm-up"]);
  assert.deepEqual(edge("_requests_in_flight{"), ["warm-up"]);
  assert.deepEqual(edge("_requests_in_flight_asked{"), ["u100"]);
  assert.deepEqual([...new Set(edge("quantile="))], ["warm-up"]);
  const after = await of(1);
  for (const part of ["_per_second{", "_requests_in_flight{", "quantile="]) {
    assert.deepEqual([...new Set(after(part))], ["u100"], part);
  }
});

test("heartbeats of agents beyond those that are kept are counted", async (t) => {
  const world = await World.start(t, { limits: { agents: 2 } });
  for (const agent of ["a1", "a2", "a3", "a4", "a1", "a3"]) await world.heartbeat(agent);
  const text = await page(world);
  assert.match(text, /^tokenstorm_heartbeats_dropped_total 3$/m);
  assert.match(text, /^tokenstorm_agents\{state="running"\} 2$/m);
});

test("stages that share a name have series of their own", async (t) => {
  const world = await World.start(t);
  const [first] = aLiveUpdate.stages ?? [];
  assert.ok(first !== undefined);
  const stages = [1, 2].map((index) => ({ ...first, index, name: "u100", offered: index }));
  await world.live({ stages });
  const series = seriesOf(await page(world));
  const offered = (stage: string) =>
    series.get(`tokenstorm_requests_offered_total{run="r1",name="nightly",stage="${stage}"}`);
  assert.deepEqual([offered("u100 (1)"), offered("u100 (2)")], ["1", "2"]);
  assert.equal(series.get('tokenstorm_requests_in_flight{run="r1",name="nightly",stage="u100 (1)"}'), "99.5");
});

test("a leader of an older version, who tells nothing of its stages, still has a page", async (t) => {
  const world = await World.start(t);
  const { stages: _, measuredStage: __, ...older } = aLiveUpdate;
  const latency = { count: 1, p50: 1000, p99: 2000 };
  await world.live({ ...older, stages: undefined, latencyUs: { ttft: latency, itl: latency, e2e: latency } });
  const series = seriesOf(await page(world));
  assert.equal(series.get('tokenstorm_requests_in_flight{run="r1",name="nightly",stage="u100"}'), "99.5");
});

test("every family of the table is on a page with everything, and carries the labels that it names", async (t) => {
  const series = [...seriesOf(await page(await busyWorld(t))).keys()];
  for (const [name, family] of Object.entries<Family>(FAMILIES)) {
    const own = series.filter((one) => new RegExp(`^${name}(_sum|_count)?(\\{|$)`).test(one));
    assert.ok(own.length > 0, `${name} is on no page`);
    for (const one of own) {
      const labels = [...one.matchAll(/(\w+)="/g)]
        .map(([, label]) => label)
        .filter((label) => label !== "quantile");
      assert.deepEqual(labels, family.labels, one);
    }
  }
});
