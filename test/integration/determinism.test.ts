import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { reportFromJson } from "@tokenstorm/protocol";
import { runCli, scratch, startSimulator, type TruthRecord } from "./cli.js";
import { startAgent, startCoordinator, startNats, type TestNats } from "./cluster.js";

/** So many agents send each plan; a label picks them out of the seven that are there. */
const COUNTS = [1, 3, 7] as const;
type Received = ReadonlyMap<string, string>;

/** What the target received of a run, without what differs by run: `s1-u3-j0 -> digest, lengths`. */
function receivedOf(run: string, requests: readonly TruthRecord[]): Received {
  const byKey = new Map<string, string>();
  for (const request of requests) {
    const [, of, key] = /^ts-([a-z0-9]+)-(s\d+-.+)$/.exec(request.id) ?? [];
    if (of !== run || key === undefined) continue; // preflight's own requests have no key
    assert.ok(!byKey.has(key), `${key} was sent twice`);
    byKey.set(key, `${request.promptDigest} ${request.promptTokens} ${request.maxTokens}`);
  }
  return new Map([...byKey].sort());
}

async function startSevenAgents(t: TestContext, nats: TestNats): Promise<void> {
  await startCoordinator(t, nats, ["--no-http", "--out", scratch(t)]);
  const labels = (i: number) =>
    COUNTS.filter((count) => i < count).flatMap((count) => ["--label", `of${count}=yes`]);
  await Promise.all(
    Array.from({ length: 7 }, (_, i) => startAgent(t, nats, ["--id", `a${i}`, ...labels(i)])),
  );
}

/** Runs a plan on so many agents, and gives the run's id. */
async function runOn(t: TestContext, nats: TestNats, count: number, plan: object): Promise<string> {
  const folder = scratch(t);
  const file = join(folder, "plan.json");
  const agents = { min: count, labels: { [`of${count}`]: "yes" } };
  writeFileSync(file, JSON.stringify({ ...plan, agents }));
  const env = { NATS_URL: nats.url };
  const run = await runCli(t, ["submit", file, "--wait", "--out", folder, "--json", "--ui", "none"], { env });
  // A degraded or invalid verdict on a busy machine is no matter here; a failed run is.
  assert.match(run.stdout, /"state":\s*"completed"/, `${run.code}: ${run.stderr}`);
  checkOffered(run.stdout, count);
  return reportFromJson(run.stdout).run.id;
}

/** Together the agents were offered every arrival of the plan, however slow the machine; and every user sent. */
function checkOffered(json: string, agents: number): void {
  const report = reportFromJson(json);
  for (const { name, stimulus } of report.stages) {
    if (stimulus?.open) assert.equal(stimulus.open.offered, stimulus.open.planned, name);
    else assert.equal(stimulus?.closed?.neverStarted, 0, name);
  }
  assert.deepEqual([report.start?.agents, report.agents.length], [agents, agents]);
}

const base = {
  version: 1,
  salt: "abc123",
  seed: 7,
  // What a busy machine sends late is sent all the same.
  maxLatenessMs: 60_000,
  workload: {
    inputTokens: { kind: "uniform", min: 8, max: 64 },
    outputTokens: { kind: "uniform", min: 2, max: 12 },
  },
  warmUp: { requests: 3, users: 2 },
};

const rates = [
  { durationMs: 1000, fromRps: 5, toRps: 60 },
  { durationMs: 1500, fromRps: 60 },
];

const loads = {
  even: { kind: "arrival-rate", spacing: "even", stages: rates },
  poisson: { kind: "arrival-rate", spacing: "poisson", stages: rates },
  requests: { kind: "users", stages: [{ users: 10, requests: 47 }] },
  users: { kind: "users", stages: [{ users: 9, rampUpMs: 300, settleMs: 0, durationMs: 1500 }] },
};

test("1, 3 and 7 agents send the same", async (t) => {
  const nats = await startNats(t);
  if (nats === undefined) return;
  const simulator = await startSimulator(t, ["--time-scale", "20"]);
  await startSevenAgents(t, nats);
  const runs: { readonly load: string; readonly id: string }[] = [];
  for (const [name, load] of Object.entries(loads)) {
    for (const count of COUNTS) {
      const plan = { ...base, load, target: { urls: [simulator.url], api: "openai-completions" } };
      runs.push({ load: name, id: await runOn(t, nats, count, plan) });
    }
  }
  const truth = await simulator.truth();
  const received = (load: string) =>
    runs.filter((run) => run.load === load).map((run) => receivedOf(run.id, truth));

  for (const name of ["even", "poisson"]) {
    await t.test(`an open load, ${name}, to the byte`, () => {
      const [alone, ...shared] = received(name);
      assert.ok(alone !== undefined && alone.size > 80, `only ${alone?.size} requests`);
      assert.ok(
        [...alone.keys()].some((key) => /^s1-k\d+-d\d+$/.test(key)),
        "ids carry the due time",
      );
      assert.equal(shared.length, 2);
      for (const one of shared) assert.deepEqual(one, alone);
    });
  }

  await t.test("a stage of N requests, exactly N", () => {
    const [alone, ...shared] = received("requests");
    assert.equal([...(alone?.keys() ?? [])].filter((key) => key.startsWith("s1-")).length, 47);
    assert.equal(shared.length, 2);
    for (const one of shared) assert.deepEqual(one, alone);
  });

  await t.test("a closed load, the same beginning of each user", () => {
    const [first, ...others] = received("users");
    assert.ok(first !== undefined && first.size > 30 && others.length === 2);
    for (const other of others) checkSameBeginnings(first, other);
  });
});

function checkSameBeginnings(first: Received, other: Received): void {
  for (const [key, what] of other) {
    const there = first.get(key);
    if (there !== undefined) assert.equal(what, there, key);
  }
  // Each user's requests are numbered without a gap, so what both sent is a common beginning.
  for (const key of other.keys()) {
    const [, stage, user, j] = /^(s\d+)-(u\d+)-j(\d+)$/.exec(key) ?? [];
    if (j !== undefined && Number(j) > 0) {
      assert.ok(other.has(`${stage}-${user}-j${Number(j) - 1}`), `${key} has no request before it`);
    }
  }
}
