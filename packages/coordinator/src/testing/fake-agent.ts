import {
  type AgentState,
  type Capacity,
  type Clock,
  type Final,
  isTerminal,
  type Problem,
  type RunRecord,
} from "@tokenstorm/core";
import {
  type Beacon,
  decodeBeacon,
  decodeClockProbe,
  decodeRunRecord,
  encodeClockReply,
  encodeFinal,
  encodeHeartbeat,
  encodeSnapshot,
  type Heartbeat,
  type Ready,
  runKey,
  type Subjects,
  type Transport,
} from "@tokenstorm/protocol";
import { FakeLoad, HEALTHY } from "./fake-load.js";

export interface FakeAgentOptions {
  readonly id: string;
  readonly instance?: string;
  readonly clock: Clock;
  readonly subjects: Subjects;
  readonly transport: Transport;
  readonly labels?: Readonly<Record<string, string>>;
  /** What its clock lacks to the leader's. */
  readonly offsetUs?: number;
  /** How much faster it runs, parts per million. */
  readonly driftPpm?: number;
  readonly script?: Partial<FakeScript>;
}

/** How it departs from what an agent should do; tests change it on the way. */
export interface FakeScript {
  prepareMs: number;
  ready: Partial<Ready>;
  capacity: Capacity | undefined;
  /** Fails to prepare with this. */
  refuses: Problem | null;
  /** Start attempts in which it does not arm. */
  deafToAttempts: readonly number[];
  /** Never reads the committed start. */
  missesCommit: boolean;
  /** Intervals that the log acknowledges and loses, until they are asked for again. */
  loses: readonly number[];
  /** Of those: what it does not know any more when it is asked. */
  forgets: readonly number[];
  losesFinal: boolean;
  /** Never hands over its final. */
  keepsFinal: boolean;
  answersProbes: boolean;
  /** It hears nobody and nobody hears it, though it goes on. */
  isCutOff: boolean;
}

/** A small state machine that does an agent's part by beacons and the StateStore; its load is one user. */
export class FakeAgent {
  readonly id: string;
  readonly instance: string;
  readonly script: FakeScript;
  readonly beacons: Beacon[] = [];
  readonly appended: string[] = [];
  state: AgentState = "idle";
  problem: Problem | null = null;
  readonly #options: FakeAgentOptions;
  readonly #clock: Clock;
  #jumpedUs = 0;
  #isAlive = true;
  #record: RunRecord | null = null;
  #epoch = 0;
  #load: FakeLoad | null = null;
  #final: Final | null = null;
  #ready: Ready | null = null;
  #armedAttempt = 0;
  #isStarted = false;
  #stageDone = -1;
  #lastAcked = 0;
  #kept = new Map<number, Uint8Array>();
  #resends = 0;

  constructor(options: FakeAgentOptions) {
    const { id, clock, subjects, transport, offsetUs = 0, driftPpm = 0 } = options;
    const pace = 1 + driftPpm / 1e6;
    this.id = id;
    this.instance = options.instance ?? `${id}-1`;
    this.#options = options;
    this.#clock = {
      nowUs: () => Math.floor(clock.nowUs() * pace) + offsetUs + this.#jumpedUs,
      wallMs: () => clock.wallMs(),
      at: (us, fn) => clock.at(Math.ceil((us - offsetUs - this.#jumpedUs) / pace), fn),
    };
    this.script = {
      prepareMs: 200,
      ready: {},
      capacity: undefined,
      refuses: null,
      deafToAttempts: [],
      missesCommit: false,
      loses: [],
      forgets: [],
      losesFinal: false,
      keepsFinal: false,
      answersProbes: true,
      isCutOff: false,
      ...options.script,
    };
    transport.bus.subscribe(subjects.beacon, ({ data }) => {
      const beacon = readBeacon(data);
      if (beacon !== undefined) void this.#onBeacon(beacon);
    });
    transport.bus.subscribe(subjects.clock(id), (message) => {
      if (!this.#isReached() || !this.script.answersProbes) return;
      const t1 = this.#clock.nowUs();
      const { t0, asker } = decodeClockProbe(message.data);
      const reply = { t0, asker, t1, t2: t1, instance: this.instance, host: `host-${id}`, pid: 1 };
      transport.bus.publish(subjects.clockAnswer(id), encodeClockReply(reply));
    });
    this.#beat();
  }

  /** Its process ends without a word. */
  kill(): void {
    this.#isAlive = false;
    this.#load?.close();
  }

  fail(problem: Problem): void {
    this.problem = problem;
    this.#become("failed");
    this.#load?.close();
  }

  /** Its monotonic clock is ahead by so much more, as after its host was moved. */
  jumpClock(byUs: number): void {
    this.#jumpedUs += byUs;
  }

  /** Ends its load for a reason of its own. */
  leaveEarly(): void {
    this.#load?.stop("drain");
  }

  /** From now on what is in flight stays in flight, until it is told otherwise. */
  holdRequests(isHeld = true): void {
    this.#load?.hold(isHeld);
  }

  #isReached(): boolean {
    return this.#isAlive && !this.script.isCutOff;
  }

  #beat(): void {
    if (!this.#isAlive) return;
    this.#tell();
    this.#clock.at(this.#clock.nowUs() + 1_000_000, () => this.#beat());
  }

  #tell(): void {
    if (!this.#isReached()) return;
    const { subjects, transport, labels = {} } = this.#options;
    const heartbeat: Heartbeat = {
      agent: this.id,
      instance: this.instance,
      host: `host-${this.id}`,
      pid: 1,
      version: "0.1.0",
      cores: 2,
      labels: { ...labels },
      state: this.state,
      run: this.#record?.id ?? null,
      epoch: this.#epoch,
      revision: this.#record?.revision ?? 0,
      beaconSeq: this.beacons.at(-1)?.seq ?? 0,
      term: this.beacons.at(-1)?.term ?? 0,
      ready: this.#ready,
      armedAttempt: this.#armedAttempt,
      startErrorUs: this.#isStarted ? 12 : null,
      stage: this.#isStarted ? 0 : -1,
      stageDone: this.#stageDone,
      lastCut: this.#load?.lastSeq ?? 0,
      lastAcked: this.#lastAcked,
      ledger: this.#load?.ledger() ?? null,
      vitals: { ...HEALTHY, scheduleLagP99Us: 0, coalescedShare: 0 },
      problem: this.problem,
      refusals: 0,
      ...(this.script.capacity === undefined ? {} : { capacity: this.script.capacity }),
    };
    transport.bus.publish(subjects.heartbeat(this.id), encodeHeartbeat(heartbeat));
  }

  #become(state: AgentState): void {
    if (!this.#isAlive || this.state === state) return;
    this.state = state;
    this.#tell();
  }

  async #onBeacon(beacon: Beacon): Promise<void> {
    if (!this.#isReached()) return;
    const isNewLeader = this.beacons.at(-1)?.leaderInstance !== beacon.leaderInstance;
    this.beacons.push(beacon);
    if (isNewLeader) this.#tell();
    if (beacon.refused.includes(this.instance)) return this.kill();
    await this.#resend(beacon);
    if (this.#isDelivered(beacon)) this.#become("done");
    const run = this.#record?.id ?? beacon.run;
    if (
      run === null ||
      (this.#record !== null && this.#record.revision >= beacon.revision && run === beacon.run)
    )
      return;
    const entry = await this.#options.transport.state.get(runKey(run));
    if (entry !== undefined && this.#isAlive) this.#onRecord(decodeRunRecord(entry.value));
  }

  async #read(): Promise<void> {
    if (this.#record === null || !this.#isReached()) return;
    const entry = await this.#options.transport.state.get(runKey(this.#record.id)).catch(() => undefined);
    if (entry !== undefined && this.#isAlive) this.#onRecord(decodeRunRecord(entry.value));
  }

  #onRecord(record: RunRecord): void {
    const place = record.shards.find((shard) => shard.agent === this.id && shard.instance === this.instance);
    if (isTerminal(record.state)) {
      if (this.#record?.id === record.id) this.#release();
      return;
    }
    if (place === undefined) return;
    if (this.#record === null) {
      if (record.state !== "preparing" && record.state !== "arming") return;
      this.#record = record;
      this.#epoch = place.epoch;
      this.#prepare();
      return;
    }
    const before = this.#record;
    this.#record = record;
    if (record.stop.level !== "none" && before.stop.level !== record.stop.level)
      this.#load?.stop(record.stop.level);
    this.#lookAtStart();
    if (this.state === "running") this.#load?.commit(record.stageStartsUs);
    this.#tell();
  }

  #prepare(): void {
    this.#become("preparing");
    this.#clock.at(this.#clock.nowUs() + this.script.prepareMs * 1000, () => {
      if (this.#record === null) return;
      if (this.script.refuses !== null) return this.fail(this.script.refuses);
      this.#ready = { ...READY, ...this.script.ready };
      this.#become("ready");
      this.#lookAtStart();
    });
  }

  #lookAtStart(): void {
    const start = this.#record?.start;
    const startUs = start?.localUs[this.id];
    if (this.#ready === null || start == null || startUs === undefined || this.#load !== null) return;
    if (this.script.deafToAttempts.includes(start.attempt)) return;
    if (this.#armedAttempt !== start.attempt) {
      this.#armedAttempt = start.attempt;
      this.state = "armed";
      this.#tell();
      // The beacon that tells of the commit may be lost.
      this.#clock.at(startUs - 450_000, () => void this.#read());
    }
    if (!start.committed || this.#record === null || this.script.missesCommit) return;
    this.#load = new FakeLoad({
      clock: this.#clock,
      record: this.#record,
      agent: this.id,
      epoch: this.#epoch,
      startUs,
      onSnapshot: (snapshot) => void this.#append("snapshot", snapshot.seq, encodeSnapshot(snapshot)),
      onStageDone: (stage) => {
        this.#stageDone = stage;
        this.#tell();
      },
      onLoadEnded: () => this.#become("draining"),
      onDrained: (final) => {
        this.#final = final;
        if (!this.script.keepsFinal) void this.#append("final", final.lastSeq, encodeFinal(final));
        this.#become("delivering");
      },
    });
    this.#clock.at(startUs, () => {
      this.#isStarted = true;
      this.#become("running");
    });
  }

  async #append(kind: "snapshot" | "final", seq: number, data: Uint8Array): Promise<void> {
    if (!this.#isAlive || this.#record === null) return;
    if (kind === "snapshot") {
      if (!this.script.forgets.includes(seq)) this.#kept.set(seq, data);
      this.#lastAcked = seq;
    }
    const isLost = kind === "snapshot" ? this.script.loses.includes(seq) : this.script.losesFinal;
    if (!isLost && !this.script.isCutOff) await this.#hand(kind, seq, data);
  }

  async #hand(kind: "snapshot" | "final", seq: number, data: Uint8Array): Promise<void> {
    const run = this.#record?.id ?? "";
    this.appended.push(`${kind} ${seq}`);
    await this.#options.transport.log.append(
      { run, agent: this.id, epoch: this.#epoch, kind, seq, resend: this.#resends },
      data,
      { timeoutMs: 1000 },
    );
  }

  async #resend(beacon: Beacon): Promise<void> {
    const wanted = beacon.resend[this.id];
    if (wanted === undefined || wanted.epoch !== this.#epoch) return;
    this.#resends += 1;
    for (const seq of wanted.seqs) {
      const data = this.#kept.get(seq);
      if (data !== undefined) await this.#hand("snapshot", seq, data);
    }
    if (wanted.final && this.#final !== null && !this.script.keepsFinal) {
      await this.#hand("final", this.#final.lastSeq, encodeFinal(this.#final));
    }
  }

  #isDelivered(beacon: Beacon): boolean {
    const confirmed = beacon.confirmed[this.id];
    if (this.state !== "delivering" || confirmed === undefined || this.#final === null) return false;
    return confirmed.epoch === this.#epoch && confirmed.final && confirmed.seq >= this.#final.lastSeq;
  }

  #release(): void {
    this.#load?.close();
    this.#record = null;
    this.#load = null;
    this.#final = null;
    this.#ready = null;
    this.#armedAttempt = 0;
    this.#isStarted = false;
    this.#stageDone = -1;
    this.#lastAcked = 0;
    this.#epoch = 0;
    this.#kept = new Map();
    this.problem = null;
    this.state = "idle";
    this.#tell();
  }
}

function readBeacon(data: Uint8Array): Beacon | undefined {
  try {
    return decodeBeacon(data);
  } catch {
    return undefined;
  }
}

const READY: Ready = {
  version: "0.1.0",
  walkDigest: "d1",
  model: "test-model",
  wordsPerToken: null,
  templateTokens: null,
  serverVersion: "0.14.0",
  reader: "fake",
};
