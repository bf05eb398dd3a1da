import assert from "node:assert/strict";
import type { Cancel, Clock, Final, PlanInput, RunRecord, ShardAssignment, Snapshot } from "@tokenstorm/core";
import { initialStageStarts, LoadError, nextStageStarts, resolveStages } from "@tokenstorm/core";
import {
  type Beacon,
  createMemoryHub,
  decodeFinal,
  decodeHeartbeat,
  decodeSnapshot,
  encodeBeacon,
  encodeRunRecord,
  type Heartbeat,
  runKey,
  type StateStore,
  subjects,
  type Transport,
} from "@tokenstorm/protocol";
import { aBeacon, aPlan, CALM_FIGURES, settle, VirtualClock } from "@tokenstorm/testkit";
import { createAgent } from "../agent.js";
import type { Agent, AgentDeps, AgentExit } from "../agent-deps.js";
import type { ProcessVitals, VitalsSource } from "../vitals.js";
import { createFakeTarget, type FakeTarget, type FakeTargetOptions } from "./fake-target.js";

export const RUN = "r1";
export const EPOCH = 7;
export const NAMES = subjects();

export interface LogLine {
  readonly level: string;
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>> | undefined;
}

/** An agent under test, with all that it has said and sent. */
export interface TestAgent {
  readonly id: string;
  readonly instance: string;
  readonly agent: Agent;
  readonly exit: Promise<AgentExit | Error>;
  readonly clock: Clock;
  /** What its clock lacks to the test's. */
  readonly offsetUs: number;
  readonly heartbeats: readonly Heartbeat[];
  readonly targets: readonly FakeTarget[];
  readonly lines: readonly LogLine[];
  readonly spool: ReadonlyMap<string, Uint8Array>;
  readonly transport: Transport;
}

export interface AgentOptionsForTest {
  readonly offsetUs?: number;
  readonly target?: Partial<FakeTargetOptions>;
  readonly deps?: Partial<AgentDeps>;
  readonly transport?: (transport: Transport) => Transport;
}

/** A hub in virtual time, agents, and a leader whose every word the test decides. */
export class Cluster {
  readonly clock = new VirtualClock({ nowUs: 5_000_000 });
  readonly hub = createMemoryHub({ clock: this.clock });
  readonly transport = this.hub.connect();
  readonly agents: TestAgent[] = [];
  readonly snapshots: Snapshot[] = [];
  readonly finals: Final[] = [];
  record: RunRecord | null = null;
  beacon = aBeacon({ term: 1, leader: "leader", leaderInstance: "leader-1", seq: 0 });
  /** Until then no agent's calls are made: their processes stand still. */
  stalledUntilUs = 0;
  /** Confirms everything as soon as it is in the log. */
  isConfirming = true;
  #isLeading = false;
  #heartbeats = new Map<string, Heartbeat[]>();

  constructor() {
    this.transport.bus.subscribe(NAMES.heartbeats, ({ data }) => {
      const heartbeat = decodeHeartbeat(data);
      this.#heartbeats.get(heartbeat.instance)?.push(heartbeat);
    });
  }

  async addAgent(id: string, options: AgentOptionsForTest = {}): Promise<TestAgent> {
    const offsetUs = options.offsetUs ?? 0;
    const instance = `${id}-i${this.agents.length + 1}`;
    const clock: Clock = {
      nowUs: () => this.clock.nowUs() + offsetUs,
      wallMs: () => this.clock.wallMs(),
      at: (us, fn) => this.#callUnlessStalled(us - offsetUs, fn),
    };
    const targets: FakeTarget[] = [];
    const lines: LogLine[] = [];
    const spool = new Map<string, Uint8Array>();
    const heartbeats: Heartbeat[] = [];
    this.#heartbeats.set(instance, heartbeats);
    const connected = this.hub.connect();
    const transport = options.transport?.(connected) ?? connected;
    const say = (level: string) => (message: string, fields?: Readonly<Record<string, unknown>>) => {
      lines.push({ level, message, fields });
    };
    const { bus, log, state, dataSets } = transport;
    const agent = createAgent({
      id,
      instance,
      host: `host-of-${id}`,
      pid: 4711,
      version: "0.1.0",
      cores: 2,
      labels: { zone: "a" },
      clock,
      bus,
      log,
      state,
      dataSets,
      subjects: NAMES,
      env: {},
      vitals: fakeVitals(),
      logger: { info: say("info"), warn: say("warn"), error: say("error") },
      writeSpool: async (name, bytes) => {
        spool.set(name, bytes);
        return `/spool/${name}`;
      },
      targets: (targetOptions) => {
        const target = createFakeTarget({ clock, ...options.target }, targetOptions);
        targets.push(target);
        return target;
      },
      ...options.deps,
    });
    const exit = agent.run().catch((error: unknown) => {
      assert.ok(error instanceof Error);
      return error;
    });
    const added: TestAgent = {
      id,
      instance,
      agent,
      exit,
      clock,
      offsetUs,
      heartbeats,
      targets,
      lines,
      spool,
      transport,
    };
    this.agents.push(added);
    await settle();
    return added;
  }

  /** Begins to speak as the leader: a beacon a second, and after each change. */
  async lead(): Promise<void> {
    if (this.#isLeading) return;
    this.#isLeading = true;
    const beat = () => {
      if (!this.#isLeading) return;
      this.sendBeacon();
      this.clock.at(this.clock.nowUs() + 1_000_000, beat);
    };
    beat();
    await settle();
  }

  stopLeading(): void {
    this.#isLeading = false;
  }

  sendBeacon(change: Partial<Beacon> = {}): void {
    this.beacon = {
      ...this.beacon,
      seq: this.beacon.seq + 1,
      leaderUs: this.clock.nowUs(),
      ...(this.isConfirming ? { confirmed: this.#confirmed() } : {}),
      ...change,
    };
    this.transport.bus.publish(NAMES.beacon, encodeBeacon(this.beacon));
  }

  /** Writes the record, and says so unless `isSilent`. */
  async write(change: Partial<RunRecord>, options: { readonly isSilent?: boolean } = {}): Promise<void> {
    assert.ok(this.record !== null);
    this.record = { ...this.record, ...change, revision: this.record.revision + 1 };
    const { state } = this.transport;
    const before = await state.get(runKey(this.record.id));
    await state.compareAndSet(runKey(this.record.id), encodeRunRecord(this.record), before?.revision);
    const { id, state: runState, revision, stop } = this.record;
    this.beacon = { ...this.beacon, run: id, state: runState, revision, stop: stop.level };
    if (options.isSilent !== true) this.sendBeacon();
    await settle();
  }

  /** A submitted run of this plan, whose results are followed. */
  async submit(plan: Partial<PlanInput>, id = RUN): Promise<void> {
    this.snapshots.length = 0;
    this.finals.length = 0;
    this.record = {
      v: 1,
      id,
      name: "test",
      createdAtMs: this.clock.wallMs(),
      plan: aPlan({ warmUp: { requests: 0 }, ...plan }),
      planDigest: "digest",
      salt: "salt1",
      state: "submitted",
      term: 1,
      leader: "leader",
      revision: 0,
      shards: [],
      start: null,
      stageStartsUs: [],
      stop: { level: "none", reason: "" },
      problem: null,
      result: null,
    };
    await this.transport.log.follow(id, ({ kind, data }) => {
      if (kind === "final") this.finals.push(decodeFinal(data));
      else this.snapshots.push(decodeSnapshot(data));
    });
    await this.write({ state: "gathering" });
  }

  /** Admits all agents. */
  async prepare(
    agents: readonly Pick<TestAgent, "id" | "instance" | "offsetUs">[] = this.agents,
  ): Promise<void> {
    assert.ok(this.record !== null);
    const stages = resolveStages(this.record.plan);
    await this.write({
      state: "preparing",
      shards: agents.map(
        (one, index): ShardAssignment => ({
          agent: one.id,
          instance: one.instance,
          epoch: EPOCH,
          index,
          host: "h",
          version: "0.1.0",
          clockOffsetUs: one.offsetUs,
          clockErrorUs: 10,
        }),
      ),
      stageStartsUs: stages.map(() => null),
    });
  }

  /** Proposes time zero so far ahead. */
  async propose(aheadUs = 2_000_000, attempt = 1): Promise<void> {
    const leaderUs = this.clock.nowUs() + aheadUs;
    const localUs = Object.fromEntries(this.agents.map((one) => [one.id, leaderUs + one.offsetUs]));
    await this.write({
      state: "arming",
      start: { attempt, committed: false, leaderUs, epochUs: 0, localUs },
    });
  }

  async commit(options: { readonly isSilent?: boolean } = {}): Promise<void> {
    const record = this.record;
    assert.ok(record !== null && record.start !== null);
    await this.write(
      {
        state: "running",
        start: { ...record.start, committed: true },
        stageStartsUs: initialStageStarts(resolveStages(record.plan)),
      },
      options,
    );
  }

  /** All the way to time zero. */
  async start(plan: Partial<PlanInput>, id = RUN): Promise<void> {
    await this.lead();
    await this.submit(plan, id);
    await this.prepare();
    await this.propose();
    await this.commit();
    await this.clock.advanceToAsync(this.zeroUs);
  }

  /** Once all have done the stage before the next unknown start, commits that, 1.1 s ahead. */
  async commitNextStage(options: { readonly isSilent?: boolean } = {}): Promise<void> {
    const record = this.record;
    const next = record?.stageStartsUs.indexOf(null) ?? -1;
    if (record === null || next < 1) return;
    if (this.agents.some((agent) => this.last(agent).stageDone < next - 1)) return;
    const stages = resolveStages(record.plan);
    const startUs = this.clock.nowUs() - this.zeroUs + 1_100_000;
    const stageStartsUs = nextStageStarts(stages, record.stageStartsUs, next, startUs);
    await this.write({ stageStartsUs }, options);
  }

  /** Time zero on the test's clock. */
  get zeroUs(): number {
    return this.record?.start?.leaderUs ?? 0;
  }

  async runTo(runTimeUs: number): Promise<void> {
    await this.clock.advanceToAsync(this.zeroUs + runTimeUs);
  }

  last(agent: TestAgent): Heartbeat {
    const heartbeat = agent.heartbeats.at(-1);
    assert.ok(heartbeat, `${agent.id} has said nothing`);
    return heartbeat;
  }

  states(agent: TestAgent): string[] {
    return agent.heartbeats
      .map(({ state }) => state)
      .filter((state, i, all) => i === 0 || state !== all[i - 1]);
  }

  /** Ends agents that are still there; a test that leaves a call behind has a leak. */
  async close(): Promise<void> {
    this.stopLeading();
    for (const { agent } of this.agents) {
      const closed = agent.close({ now: true });
      await this.clock.advanceByAsync(10_000_000);
      await closed;
    }
    await this.transport.close();
    assert.equal(this.clock.pending, 0, "calls are left behind");
  }

  #callUnlessStalled(us: number, fn: () => void): Cancel {
    const call = () => {
      if (this.clock.nowUs() < this.stalledUntilUs) cancel = this.clock.at(this.stalledUntilUs, call);
      else fn();
    };
    let cancel = this.clock.at(us, call);
    return () => cancel();
  }

  #confirmed(): Beacon["confirmed"] {
    const confirmed: Beacon["confirmed"] = {};
    for (const { id } of this.agents) {
      const seqs = new Set(this.snapshots.filter(({ agent }) => agent === id).map(({ seq }) => seq));
      let seq = 0;
      while (seqs.has(seq + 1)) seq += 1;
      const final = this.finals.some((one) => one.agent === id && one.lastSeq <= seq);
      confirmed[id] = { epoch: EPOCH, seq, final };
    }
    return confirmed;
  }
}

function fakeVitals(): VitalsSource {
  const figures: ProcessVitals = {
    ...CALM_FIGURES,
    descriptors: 20,
    descriptorLimit: 1024,
  };
  return {
    descriptorLimit: 1024,
    localPortRange: 28_232,
    read: () => figures,
    beginProbe: () => undefined,
    endProbe: () => undefined,
    close: () => undefined,
  };
}

/** A store that is read in this way; for `addAgent`. */
export function readBy(get: (key: string, read: StateStore["get"]) => ReturnType<StateStore["get"]>) {
  return (transport: Transport): Transport => {
    const { state } = transport;
    return { ...transport, state: { ...state, get: (key) => get(key, (one) => state.get(one)) } };
  };
}

/** One that cannot be read while `isOut` says so. */
export function readableUnless(isOut: () => boolean) {
  return readBy(async (key, read) => {
    if (isOut()) throw new LoadError("BUS_UNAVAILABLE", "no answer from NATS");
    return read(key);
  });
}
