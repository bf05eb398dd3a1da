import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { TestContext } from "node:test";
import {
  createAggregate,
  type LiveUpdate,
  type RunRecord,
  type RunReport,
  resolveStages,
  summariseRun,
} from "@tokenstorm/core";
import {
  type Beacon,
  createMemoryHub,
  decodeClockProbe,
  encodeBeacon,
  encodeClockReply,
  encodeHeartbeat,
  encodeLive,
  encodeRunRecord,
  type Heartbeat,
  planDigest,
  reportBlob,
  runKey,
  subjects,
} from "@tokenstorm/protocol";
import { aBeacon, aHeartbeat, aLedger, aPlan, someVitals, tempDir, VirtualClock } from "@tokenstorm/testkit";
import type { ApiDeps } from "../deps.js";
import { startHttpApi } from "../http-api.js";

/** A coordinator's API over memory, and what a leader, agents and runs would say, said by the test. */
export class World {
  readonly clock = new VirtualClock({ nowUs: 5_000_000 });
  readonly hub = createMemoryHub({ clock: this.clock });
  readonly transport = this.hub.connect();
  /** The coordinator's own connection. */
  readonly own = this.hub.connect();
  readonly subjects = subjects();
  readonly logged: string[] = [];
  readonly url: string;
  readonly out: string;

  static async start(t: TestContext, change: Partial<ApiDeps> = {}): Promise<World> {
    const world = new World(await tempDir(t));
    let ids = 0;
    const say = (level: string) => (message: string) => world.logged.push(`${level} ${message}`);
    const api = await startHttpApi({
      cluster: { transport: world.own, subjects: world.subjects },
      clock: world.clock,
      newId: (length) => `x${(++ids).toString().padStart(length - 1, "0")}`,
      instance: "c1-1",
      version: "0.1.0",
      logger: { info: say("info"), warn: say("warn"), error: say("error") },
      runDirectory: ({ id }) => join(world.out, id),
      address: { host: "127.0.0.1", port: 0, orAnyPort: false },
      token: null,
      hostNames: [],
      ...change,
    });
    t.after(() => api.close());
    return Object.assign(world, { url: api.url });
  }

  private constructor(out: string) {
    this.out = out;
    this.url = "";
  }

  /** What a leader says each second. */
  async beacon(change: Partial<Beacon> = {}): Promise<void> {
    const beacon = aBeacon({ leaderUs: this.clock.nowUs(), refusals: 2, ...change });
    await this.#publish(this.subjects.beacon, encodeBeacon(beacon));
  }

  /** As an agent's clock is asked for. In virtual time the answer takes none, so that nothing is wrong by more than 0. */
  answerProbes(agent: string): void {
    const { bus } = this.transport;
    bus.subscribe(this.subjects.clock(agent), ({ data }) => {
      const { t0, asker } = decodeClockProbe(data);
      const t1 = this.clock.nowUs();
      const reply = { t0, asker, t1, t2: t1, instance: `${agent}-1`, host: "h", pid: 1 };
      bus.publish(this.subjects.clockAnswer(agent), encodeClockReply(reply));
    });
  }

  async heartbeat(agent: string, change: Partial<Heartbeat> = {}): Promise<void> {
    const heartbeat = { ...running, agent, instance: `${agent}-1`, ...change };
    await this.#publish(this.subjects.heartbeat(agent), encodeHeartbeat(heartbeat));
  }

  async live(change: Partial<LiveUpdate> = {}): Promise<void> {
    const update = { ...aLiveUpdate, ...change };
    await this.#publish(this.subjects.live(update.run), encodeLive(update));
  }

  /** Puts a run's record there, or its next revision. */
  async record(id: string, change: Partial<RunRecord> = {}): Promise<RunRecord> {
    const entry = await this.transport.state.get(runKey(id));
    const record = aRecord(id, change);
    await this.transport.state.compareAndSet(runKey(id), encodeRunRecord(record), entry?.revision);
    return record;
  }

  /** A run that is over, with its report and its files. */
  async endedRun(id: string): Promise<RunReport> {
    const directory = join(this.out, id);
    const blob = reportBlob(id, 1);
    const record = await this.record(id, {
      state: "completed",
      revision: 9,
      term: 1,
      result: { directory, reportBlob: blob },
    });
    const report = aReport(record);
    await this.transport.blobs.put(blob, new TextEncoder().encode(JSON.stringify(report)));
    await mkdir(directory);
    await writeFile(join(directory, "plan.yaml"), "version: 1\n");
    await writeFile(join(directory, "report.json"), JSON.stringify(report));
    await writeFile(join(directory, "snapshots.ndjson"), "");
    await writeFile(join(directory, "secret.txt"), "not for you");
    return report;
  }

  async pass(ms: number): Promise<void> {
    await this.clock.advanceByAsync(ms * 1000);
  }

  /** Messages are handed over in microtasks; this is after them. */
  async #publish(subject: string, data: Uint8Array): Promise<void> {
    this.transport.bus.publish(subject, data);
    await this.clock.advanceByAsync(0);
  }
}

const running = aHeartbeat({
  host: "host-1",
  pid: 4711,
  cores: 1.5,
  labels: { zone: "a" },
  state: "running",
  run: "r1",
  epoch: 1,
  revision: 9,
  beaconSeq: 12,
  term: 3,
  armedAttempt: 1,
  startErrorUs: -40,
  stage: 0,
  lastCut: 8,
  lastAcked: 7,
  ledger: aLedger,
  vitals: someVitals,
  problem: { code: "TARGET_UNREACHABLE", message: "no" },
  refusals: 4,
});

const sums = { count: 4, sum: 1_000_000 };

export const aLiveUpdate: LiveUpdate = {
  run: "r1",
  name: "nightly",
  state: "running",
  transport: "memory",
  runTimeUs: 5_500_000,
  stage: { index: 1, count: 2, name: "u100", phase: "measured", leftUs: null },
  measuredStage: 1,
  totalLeftUs: 9,
  inFlight: { asked: 100, measured: 99.5 },
  server: { running: 90, waiting: 9, kvUsage: 0.5 },
  rates: { requestsPerS: 1.5, outputTokensPerS: 2, promptTokensPerS: 3 },
  latencyUs: {
    ttft: { count: 4, p50: 200_000, p90: 300_000, p99: 500_000 },
    itl: { count: 0, p50: 0, p90: 0, p99: 0 },
    e2e: { count: 4, p50: 2_500_000, p90: 2_600_000, p99: 3_000_000 },
  },
  totals: { offered: 5, completed: 3, failed: 1, cancelled: 0, dropped: 1 },
  failures: { "connect-refused": 1 },
  stages: ["warm-up", "u100"].map((name, index) => ({
    index,
    name,
    ...{ offered: 5, completed: 3, failed: 1, cancelled: 0, dropped: 1, unknown: 0, censored: 0 },
    ...{ outputTokens: 70, promptTokens: 50 },
    latencyUs: { ttft: sums, itl: { count: 0, sum: 0 }, e2e: sums },
  })),
  agents: [
    {
      id: "a1",
      host: "host-1",
      state: "running",
      colour: "yellow",
      cpu: 0.5,
      loopDelayP99Us: 1,
      scheduleLagP99Us: 2,
      inFlight: 3,
      silentMs: 4,
    },
  ],
  history: { outputTokensPerS: [1, 2], inFlight: [3] },
  notes: ["waiting"],
};

function aRecord(id: string, change: Partial<RunRecord>): RunRecord {
  const plan = aPlan({ name: "nightly" });
  return {
    v: 1,
    id,
    name: "nightly",
    createdAtMs: 1_700_000_000_000,
    plan,
    planDigest: planDigest(plan),
    salt: "abc",
    state: "running",
    term: 3,
    leader: "c1",
    revision: 4,
    shards: [
      {
        agent: "a1",
        instance: "a1-1",
        epoch: 1,
        index: 0,
        host: "host-1",
        version: "0.1.0",
        clockOffsetUs: -17,
        clockErrorUs: 30,
      },
    ],
    start: { attempt: 1, committed: true, leaderUs: 1, epochUs: 1_700_000_001_000_000, localUs: { a1: -3 } },
    stageStartsUs: resolveStages(plan).map(() => 0),
    stop: { level: "none", reason: "" },
    problem: null,
    result: null,
    ...change,
  };
}

function aReport(record: RunRecord): RunReport {
  const stages = resolveStages(record.plan);
  return summariseRun({
    facts: {
      schemaVersion: 1,
      record,
      transport: "memory",
      version: "0.1.0",
      model: "m",
      wordsPerToken: null,
      templateTokens: null,
      serverVersion: null,
      endedAtMs: record.createdAtMs + 9000,
      endUs: 8_000_000,
      serverBefore: null,
      serverAfter: null,
      refusals: 0,
    },
    stages,
    aggregate: createAggregate({ stages, shards: record.shards }),
    serverSamples: [],
  });
}
