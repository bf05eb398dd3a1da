import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { reportFromJson } from "@tokenstorm/protocol";
import { runCli, scratch, startSimulator, type TruthRecord } from "./cli.js";

/** What the target received, without what differs by run: `s1-u3-j0 -> digest, lengths`. */
function received(requests: readonly TruthRecord[]): Map<string, string> {
  const byKey = new Map<string, string>();
  for (const request of requests) {
    const key = /^ts-[a-z0-9]+-(s\d+-.+)$/.exec(request.id)?.[1];
    if (key === undefined) continue; // preflight's own requests
    assert.ok(!byKey.has(key), `${key} was sent twice`);
    byKey.set(key, `${request.promptDigest} ${request.promptTokens} ${request.maxTokens}`);
  }
  return byKey;
}

async function receivedBy(t: TestContext, processes: number, plan: object): Promise<Map<string, string>> {
  const simulator = await startSimulator(t, ["--time-scale", "20"]);
  const folder = scratch(t);
  const file = join(folder, "plan.json");
  writeFileSync(
    file,
    JSON.stringify({ ...plan, target: { urls: [simulator.url], api: "openai-completions" } }),
  );
  const run = await runCli(t, [
    "run",
    file,
    "--processes",
    String(processes),
    "--out",
    folder,
    "--json",
    "--ui",
    "none",
  ]);
  // A degraded or invalid verdict on a busy machine is no matter here; a failed run is.
  assert.match(run.stdout, /"state":\s*"completed"/, `${run.code}: ${run.stderr}`);
  checkOffered(run.stdout);
  return received(await simulator.truth());
}

/** Together the agents were offered every arrival of the plan, however slow the machine; and every user sent. */
function checkOffered(json: string): void {
  const report = reportFromJson(json);
  for (const { name, stimulus } of report.stages) {
    if (stimulus?.open) assert.equal(stimulus.open.offered, stimulus.open.planned, name);
    else assert.equal(stimulus?.closed?.neverStarted, 0, name);
  }
  assert.equal(report.start?.agents, report.agents.length);
}

const base = {
  version: 1,
  salt: "abc123",
  seed: 7,
  workload: {
    inputTokens: { kind: "uniform", min: 8, max: 64 },
    outputTokens: { kind: "uniform", min: 2, max: 12 },
  },
  warmUp: { requests: 3, users: 2 },
};

const openLoads = {
  even: {
    kind: "arrival-rate",
    spacing: "even",
    stages: [
      { durationMs: 1000, fromRps: 5, toRps: 60 },
      { durationMs: 1500, fromRps: 60 },
    ],
  },
  "Poisson, with a ramp,": {
    kind: "arrival-rate",
    spacing: "poisson",
    stages: [
      { durationMs: 1000, fromRps: 5, toRps: 60 },
      { durationMs: 1500, fromRps: 60 },
    ],
  },
};

for (const [name, load] of Object.entries(openLoads)) {
  test(`an open load, ${name} reaches the target the same from 1, 3 and 7 agents`, async (t) => {
    const alone = await receivedBy(t, 1, { ...base, load });
    assert.ok(alone.size > 80, `only ${alone.size} requests`);
    assert.ok(
      [...alone.keys()].some((key) => /^s1-k\d+-d\d+$/.test(key)),
      "ids carry the due time",
    );
    for (const processes of [3, 7]) {
      assert.deepEqual(
        new Map([...(await receivedBy(t, processes, { ...base, load }))].sort()),
        new Map([...alone].sort()),
      );
    }
  });
}

test("a stage of N requests sends exactly N, the same ones from 1, 3 and 7 agents", async (t) => {
  const load = { kind: "users", stages: [{ users: 10, requests: 47 }] };
  const alone = await receivedBy(t, 1, { ...base, load });
  assert.equal([...alone.keys()].filter((key) => key.startsWith("s1-")).length, 47);
  for (const processes of [3, 7]) {
    assert.deepEqual(
      new Map([...(await receivedBy(t, processes, { ...base, load }))].sort()),
      new Map([...alone].sort()),
    );
  }
});

test("a closed load reaches the target with the same beginning of each user from 1, 3 and 7 agents", async (t) => {
  const load = { kind: "users", stages: [{ users: 9, rampUpMs: 300, settleMs: 0, durationMs: 1500 }] };
  const runs = [];
  for (const processes of [1, 3, 7]) runs.push(await receivedBy(t, processes, { ...base, load }));
  const [first, ...others] = runs;
  assert.ok(first !== undefined && first.size > 30);
  for (const other of others) {
    for (const [key, what] of other) {
      const there = first.get(key);
      if (there !== undefined) assert.equal(what, there, key);
    }
    // Each user's requests are numbered without a gap, so what both sent is a common beginning.
    for (const key of other.keys()) {
      const [, user, j] = /^s\d+-(u\d+)-j(\d+)$/.exec(key) ?? [];
      if (j !== undefined && Number(j) > 0) {
        const stage = key.slice(0, key.indexOf("-"));
        assert.ok(other.has(`${stage}-${user}-j${Number(j) - 1}`), `${key} has no request before it`);
      }
    }
  }
});
