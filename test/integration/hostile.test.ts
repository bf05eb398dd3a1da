import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import { connect } from "@nats-io/transport-node";
import { isTerminal, type RunRecord, type RunReport, type RunState, requirePlan } from "@tokenstorm/core";
import {
  decodeHeartbeat,
  getReport,
  matchesSubject,
  readRun,
  reportBlob,
  runKey,
  type Subjects,
  subjects,
  submitRun,
  systemClock,
  watchRun,
} from "@tokenstorm/protocol";
import { type Random, seededRandom, startTcpProxy } from "@tokenstorm/testkit";
import { type Running, scratch } from "./cli.js";
import { startAgent, startCoordinator } from "./cluster.js";
import { ATTACKED, HARMS, HostileMail } from "./hostile-mail.js";
import { type Cluster, LIMIT_MS, openCluster } from "./killed-cluster.js";

const PAUSE_MS = 25;
/** Rounds of messages from one writing over the record to the next. */
const SPOILT_EVERY = 10;
/** Records from the beginning of the run: the older, the more harm. */
const MOST_KEPT = 3;
/** By the leader, and by each agent; on this seed it is some times as many. */
const LEAST_REFUSALS = { leader: 100, agent: 25 };
/** Rounds of messages in each of these states of the run; of arming and draining, which pass in milliseconds, no number is sure. */
const LEAST_ROUNDS = { gathering: 20, preparing: 5, running: 20, delivering: 5 } as const;
const LASTING = ["gathering", "preparing", "running", "delivering"] as const;
/** Each look at the target's counters takes so much longer: one is the last thing of preparing, one the first of delivering. */
const LOOK_DELAY_MS = 400;
/** Of a process, beyond what it had after an undisturbed run. */
const MORE_MEMORY_BYTES = 150 * 1024 * 1024;

interface Submitted {
  readonly id: string;
  readonly agents: number;
  readonly metricsUrl: string;
}

/** Bound by requests: how many there are hangs on nothing but the plan, nor on how many agents share it. */
async function submit(
  { transport, simulator }: Cluster,
  { id, agents, metricsUrl }: Submitted,
): Promise<void> {
  const plan = requirePlan({
    version: 1,
    target: { urls: [simulator.url] },
    workload: { inputTokens: 32, outputTokens: 16 },
    load: { kind: "users", stages: [{ users: 6, rampUpMs: 0, settleMs: 0, requests: 120 }] },
    warmUp: { requests: 0 },
    agents: { min: agents, waitMs: LIMIT_MS },
    metricsUrls: [metricsUrl],
    deliverMs: 60_000,
  });
  await submitRun({ transport, subjects: subjects() }, { plan, id, salt: "s", createdAtMs: Date.now() });
}

async function untilOver(
  { transport }: Cluster,
  run: string,
  meanwhile: (record: RunRecord | undefined) => Promise<void>,
): Promise<RunRecord> {
  const untilMs = performance.now() + LIMIT_MS;
  for (;;) {
    const record = await readable(async () => (await readRun(transport, run)).record);
    if (record !== undefined && isTerminal(record.state)) return record;
    assert.ok(performance.now() < untilMs, `${run} is ${record?.state} after ${LIMIT_MS} ms`);
    await meanwhile(record);
    await wait(PAUSE_MS);
  }
}

/** Undefined where it fails: something else stands under the key, or nobody answered. */
async function readable<T>(read: () => Promise<T>): Promise<T | undefined> {
  try {
    return await read();
  } catch {
    return undefined;
  }
}

/** What must be the same, whatever was shouted meanwhile. */
function countsOf({ totals, completeness, stages }: RunReport) {
  const { missing, intervalsExpected, intervalsReceived, samplesMerged, samplesRecorded } = completeness;
  return {
    requests: totals.requests,
    stages: stages.map(({ name, requests }) => ({ name, requests })),
    missing,
    isWhole: intervalsExpected === intervalsReceived && samplesMerged === samplesRecorded,
    tokens: totals.tokens,
  };
}

const memoryOf = ({ pid }: Running): number =>
  1024 * Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);

test("every subject of the protocol is attacked, and every one that a run is heard on", () => {
  const names = subjects();
  const known = Object.keys(names).filter((name) => name !== "prefix");
  assert.deepEqual(Object.keys(ATTACKED).sort(), known.sort());
});

const SEED = Number(process.env["TOKENSTORM_SEED"] ?? 20_261);

test(`malformed, cut, huge, repeated, foreign messages on every subject and key change nothing, and are counted (seed ${SEED})`, {
  timeout: 3 * LIMIT_MS,
}, async (t) => {
  const cluster = await openCluster(t);
  if (cluster === undefined) return;
  const out = scratch(t);
  const coordinator = await startCoordinator(t, cluster.nats, ["--no-http", "--out", out]);
  const processes = [coordinator, ...cluster.agents];
  const connection = await connect({ servers: cluster.nats.url });
  t.after(() => connection.close());
  const random = seededRandom(SEED);
  const mail = new HostileMail(connection, random);
  const names = subjects();
  const { port } = new URL(cluster.simulator.url);
  const metrics = await startTcpProxy({ port: Number(port), seed: SEED });
  t.after(() => metrics.close());
  metrics.setBoth({ delayMs: LOOK_DELAY_MS / 2 });
  const metricsUrl = `http://127.0.0.1:${metrics.port}/metrics`;

  await submit(cluster, { id: "k0", agents: 2, metricsUrl });
  const quiet = await untilOver(cluster, "k0", async () => undefined);
  assert.equal(quiet.state, "completed");
  const quietReport = await getReport(cluster.transport, quiet);
  const before = processes.map(memoryOf);
  const quietRecord = (await cluster.transport.state.get(runKey("k0")))?.value;
  assert.ok(quietRecord !== undefined);

  const refusals = countRefusals(cluster, names);
  const targets = [...new Set(Object.values(ATTACKED).flatMap((of) => of(names, "k1")))];
  const spoilKeys = keySpoiler(cluster, { random, mail, ofAnotherRun: quietRecord });
  // One more than there are: it gathers until the last one comes.
  await submit(cluster, { id: "k1", agents: 3, metricsUrl });
  const shown = watchRun(
    { transport: cluster.transport, subjects: names },
    { clock: systemClock(), run: "k1" },
  );
  t.after(() => shown.close());
  const rounds = new Map<RunState, number>();
  let last: Promise<Running> | undefined;
  const noisy = await untilOver(cluster, "k1", async (record) => {
    mail.shout(targets);
    if (record !== undefined) rounds.set(record.state, (rounds.get(record.state) ?? 0) + 1);
    if ((rounds.get("gathering") ?? 0) >= LEAST_ROUNDS.gathering)
      last ??= startAgent(t, cluster.nats, ["--id", "a3"], { cwd: scratch(t) });
    // What would do the most harm is not left to chance.
    if (record?.state === "running") mail.say(names.beacon, "wrong-sender");
    await spoilKeys(record);
    await connection.flush();
  });
  const said = `seed ${SEED}, sent ${JSON.stringify([...mail.sent])}, in rounds ${JSON.stringify([...rounds])}`;
  t.diagnostic(said);
  await last;
  assert.equal(noisy.shards.length, 3, said);
  for (const state of LASTING)
    assert.ok((rounds.get(state) ?? 0) >= LEAST_ROUNDS[state], `${state}: ${said}`);
  assert.deepEqual([noisy.state, noisy.problem], ["completed", null], said);
  assert.deepEqual(countsOf(await getReport(cluster.transport, noisy)), countsOf(quietReport), said);
  for (const harm of HARMS) assert.ok((mail.sent.get(harm) ?? 0) > 0, `${harm}: ${said}`);
  for (const subject of mail.heard) {
    const isAttacked = targets.some((target) => matchesSubject(subject.replaceAll(".k0", ".k1"), target));
    assert.ok(isAttacked, `${subject} was heard, and never attacked`);
  }

  // Counted: by the leader in the run's facts, by each agent in what it says once a second.
  const directory = noisy.result?.directory ?? "";
  const facts = JSON.parse(readFileSync(join(directory, "run.json"), "utf8")).facts;
  assert.ok(facts.refusals > LEAST_REFUSALS.leader, `${facts.refusals} refusals in run.json; ${said}`);
  for (const agent of ["a1", "a2"])
    assert.ok((refusals.get(agent) ?? 0) > LEAST_REFUSALS.agent, `${agent}: ${refusals.get(agent)}; ${said}`);
  await coordinator.line(/refused a message/);
  for (const agent of cluster.agents) await agent.line(/malformed message was refused/);
  assert.equal((await shown.ended).state, "completed");
  for (const [i, one] of processes.entries()) {
    const more = memoryOf(one) - (before[i] ?? 0);
    assert.ok(more < MORE_MEMORY_BYTES, `process ${i} grew by ${Math.round(more / 2 ** 20)} MiB; ${said}`);
  }
});

/** What agents say of the messages that they refused, the last word of each. */
function countRefusals({ transport }: Cluster, names: Subjects): ReadonlyMap<string, number> {
  const refusals = new Map<string, number>();
  transport.bus.subscribe(names.heartbeats, ({ data, subject }) => {
    try {
      const beat = decodeHeartbeat(data);
      const before = refusals.get(beat.agent) ?? 0;
      if (subject === names.heartbeat(beat.agent)) refusals.set(beat.agent, Math.max(before, beat.refusals));
    } catch {
      // This test's own.
    }
  });
  return refusals;
}

/** Now and then writes over the run's record, with garbage, an earlier one or another run's; and beside it. */
function keySpoiler(
  { transport }: Cluster,
  from: { readonly random: Random; readonly mail: HostileMail; readonly ofAnotherRun: Uint8Array },
): (record: RunRecord | undefined) => Promise<void> {
  const { random, mail, ofAnotherRun } = from;
  const { state, blobs } = transport;
  const own: Uint8Array[] = [];
  let rounds = 0;
  return async (record) => {
    rounds += 1;
    if (rounds % SPOILT_EVERY !== 0) return;
    const isOwn = random.bool(0.8);
    // Past its last change nobody would put it right, and nothing hangs on it.
    if (isOwn && (record === undefined || record.state === "delivering")) return;
    const key = runKey(isOwn ? "k1" : "zz");
    const entry = await readable(() => state.get(key));
    if (isOwn && entry !== undefined && own.length < MOST_KEPT) own.push(entry.value);
    const isRepeated = record?.state === "running" && random.bool();
    const harm = isRepeated ? "replayed" : random.pick(HARMS.filter((one) => one !== "oversized"));
    const value = mail.spoil(harm, own, [ofAnotherRun]);
    // On a server that is busy with megabytes it may not be answered in time.
    if (value !== undefined) await readable(() => state.compareAndSet(key, value, entry?.revision));
    // Before the leader writes the last one: nobody would put that right.
    if (record?.state === "running")
      await readable(() => blobs.put(reportBlob("k1", record.term), random.bytes(100)));
  };
}
