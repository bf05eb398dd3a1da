import { type Agent, createAgent, type VitalsSource } from "@tokenstorm/agent";
import { type Coordinator, type CoordinatorDeps, createCoordinator } from "@tokenstorm/coordinator";
import { isTerminal, PlanSchema, type RequestKey, type RunRecord } from "@tokenstorm/core";
import {
  createMemoryHub,
  decodeRunRecord,
  decodeSnapshot,
  decodeSpool,
  encodeSnapshot,
  LEADER_KEY,
  type LogEntry,
  runKey,
  type SpoolEntry,
  stopRun,
  subjects,
  submitRun,
  type Transport,
} from "@tokenstorm/protocol";
import {
  type DiskMount,
  FaultyDisk,
  FaultyTransport,
  noCounts,
  ProcessClock,
  type Random,
  seededRandom,
  VirtualClock,
} from "@tokenstorm/testkit";
import { type Coverage, Happenings } from "./coverage.js";
import {
  drawScenario,
  FAULT_STATES,
  type Fault,
  type FaultState,
  type Planned,
  type Scenario,
} from "./scenario.js";
import { simulatedTargets, type TrueRequest } from "./simulated-target.js";
import { Watch } from "./watch.js";

export const RUN = "r1";
const NAMES = subjects();

const CLOSED_US = 10_000_000;

/** A record that was not in the store for so long is written by nobody any more. */
const FORGOTTEN_US = 60_000_000;
const ASKED_AGAIN = "their clocks are asked again";
const RUN_ENDS = [
  ["completed", "runs completed"],
  ["failed", "runs failed"],
  ["aborted", "runs aborted"],
] as const;

/** A takeover, and the time after which a leader looks through the log again. */
const PURGE_LIMIT_US = 90_000_000;

interface Process {
  readonly name: string;
  readonly clock: ProcessClock;
  readonly link: FaultyTransport;
  readonly host: string;
  readonly mount?: DiskMount;
  readonly agent?: Agent;
  coordinator?: Coordinator;
  /** Set when it ended by itself, which none should. */
  ended: unknown;
}

/** A cluster in virtual time: processes, their hosts' disks, and the server between them, with faults from one seed. */
export class World {
  readonly seed: number;
  readonly scenario: Scenario;
  readonly clock = new VirtualClock({ nowUs: 1_000_000_000, turns: 1 });
  readonly truth: TrueRequest[] = [];
  readonly log: LogEntry[] = [];
  readonly spooled: SpoolEntry[] = [];
  /** Results as they were handed over first, by what they are. */
  readonly frozen = new Map<string, string>();
  readonly lines: string[] = [];
  readonly disks = new Map<string, FaultyDisk>();
  /** The last that the store had. */
  record: RunRecord | undefined;
  /** The store has lost the record, and nobody could write it again. */
  isForgotten = false;
  readonly watch: Watch;
  readonly happenings = new Happenings();
  readonly #random: Random;
  readonly #hub = createMemoryHub({ clock: this.clock });
  readonly #direct: Transport = this.#hub.connect();
  readonly #counts = noCounts();
  readonly #coordinators: Process[] = [];
  readonly #agents: Process[] = [];
  #seen = new Set<string>();
  #leads = 0;
  #absentSinceUs: number | undefined;
  #revision = 0;
  #state: FaultState | undefined;
  #leader: Process | undefined;

  constructor(seed: number) {
    this.seed = seed;
    this.#random = seededRandom(seed);
    this.scenario = drawScenario(this.#random);
    this.watch = new Watch({
      run: RUN,
      subjects: NAMES,
      mayGiveUp: this.scenario.retainBytes === 1,
      onRecord: (record) => this.#see(record),
    });
  }

  coverage(): Coverage {
    const { happenings, record } = this;
    happenings.count("spooled results", this.spooled.length);
    happenings.count("clocks asked again", this.lines.filter((line) => line.includes(ASKED_AGAIN)).length);
    happenings.count("agents gone on without", record?.losses?.length ?? 0);
    happenings.count(
      "agents found again",
      record?.losses?.filter(({ foundUs }) => foundUs !== null).length ?? 0,
    );
    happenings.count("shards taken over", record?.moves?.length ?? 0);
    const end = RUN_ENDS.find(([state]) => state === record?.state);
    if (end !== undefined) happenings.count(end[1]);
    return happenings.coverage(this.#counts);
  }

  /** From the submission to the end of the run, or to the deadline in virtual time; and some seconds more. */
  async run(deadlineMs: number): Promise<void> {
    const { scenario, clock } = this;
    await this.#direct.log.follow(RUN, (entry) => this.log.push(entry));
    for (let i = 0; i <= scenario.standbys; i += 1) this.#startCoordinator(`c${i + 1}`, `host-c${i + 1}`);
    for (let i = 0; i < scenario.agents; i += 1) this.#startAgent(`a${i + 1}`);
    await clock.advanceByAsync(200_000);
    const submission = {
      plan: PlanSchema.parse(scenario.plan),
      id: RUN,
      salt: "s",
      createdAtMs: clock.wallMs(),
    };
    await submitRun({ transport: this.#direct, subjects: NAMES }, submission);
    const untilUs = clock.nowUs() + deadlineMs * 1000;
    while (clock.nowUs() < untilUs && !this.isForgotten) {
      if (this.record !== undefined && isTerminal(this.record.state)) break;
      await clock.advanceByAsync(20_000);
      await this.#look();
    }
    await clock.advanceByAsync(8_000_000);
    await this.#look();
    // Whoever ended it may have been stopped before it purged the log: the next one does.
    const purgedBy = clock.nowUs() + PURGE_LIMIT_US;
    while (this.record?.result?.isWhole === true && clock.nowUs() < purgedBy && (await this.leftInLog()) > 0)
      await clock.advanceByAsync(1_000_000);
  }

  /** Every process of the cluster ends, so that nothing is left behind. */
  close(): void {
    for (const process of [...this.#coordinators, ...this.#agents]) process.clock.kill();
  }

  async report(): Promise<string | undefined> {
    const data = await this.#direct.blobs.get(`report-${RUN}`);
    return data === undefined ? undefined : new TextDecoder().decode(data);
  }

  async leftInLog(): Promise<number> {
    return (await this.#direct.log.runs()).length;
  }

  /** Those that ended by themselves, with why. */
  ended(): string[] {
    return [...this.#coordinators, ...this.#agents].flatMap(({ name, ended }) =>
      ended === undefined ? [] : [`${name}: ${String(ended)}`],
    );
  }

  async #look(): Promise<void> {
    const entry = await this.#direct.state.get(runKey(RUN));
    const nowUs = this.clock.nowUs();
    if (entry !== undefined) this.#absentSinceUs = undefined;
    else if (this.record !== undefined) {
      this.#absentSinceUs ??= nowUs;
      this.isForgotten = nowUs - this.#absentSinceUs > FORGOTTEN_US;
    }
    if (entry === undefined || entry.revision === this.#revision) return;
    this.#revision = entry.revision;
    this.record = decodeRunRecord(entry.value);
    this.#see(this.record);
  }

  /** What was planned for a state happens as soon as that is seen. */
  #see(record: RunRecord): void {
    const { state } = record;
    this.watch.see(record);
    this.#state = FAULT_STATES.find((one) => one === state);
    if (this.#seen.has(state)) return;
    this.#seen.add(state);
    this.#trigger(state);
  }

  #trigger(what: Planned["state"] | RunRecord["state"]): void {
    for (const { state, afterMs, fault } of this.scenario.faults) {
      if (state === what) this.clock.at(this.clock.nowUs() + afterMs * 1000, () => this.#happen(fault));
    }
  }

  #happen(fault: Fault): void {
    const nowUs = this.clock.nowUs();
    const after = (ms: number) => nowUs + ms * 1000;
    this.lines.push(`${this.#stamp()} ** ${JSON.stringify(fault)}`);
    const agents = this.#agents;
    switch (fault.kind) {
      case "kill-leader":
        this.#killLeader(fault.backMs);
        return;
      case "pause-leader":
        this.#leader?.clock.pauseUntil(after(fault.forMs));
        this.happenings.count("leaders paused");
        return;
      case "close-leader":
        this.#closeLeader();
        return;
      case "pause-agent":
        agents[fault.agent]?.clock.pauseUntil(after(fault.forMs));
        this.happenings.count("agents paused");
        return;
      case "partition":
        this.#processOf(fault.of)?.link.cut(fault.direction, after(fault.forMs));
        return;
      case "cut-agents":
        for (const { link } of agents) link.cut("both", after(fault.forMs));
        this.happenings.count("all agents cut off");
        return;
      case "restart-nats":
        for (const { link } of [...this.#coordinators, ...agents]) link.cut("both", after(fault.forMs));
        this.happenings.count("NATS restarts");
        return;
      case "kill-agent":
        agents[fault.agent]?.clock.kill();
        this.happenings.count("agents killed");
        return;
      case "stop":
        this.happenings.count("stops");
        void this.#stop(fault.level);
        return;
      case "wipe-state":
        this.happenings.count("state stores wiped");
        void this.#forget("");
        return;
      case "delete-lease":
        this.happenings.count("leases deleted");
        void this.#forget(LEADER_KEY);
        return;
      case "wipe-log":
        this.happenings.count("logs wiped");
        void this.#direct.log.purge(RUN);
        return;
      case "other-epoch":
        void this.#appendOfOtherEpoch(`a${fault.agent + 1}`);
        return;
      case "step-wall":
        this.happenings.count("wall clocks stepped");
        this.#processOf(fault.of)?.clock.stepWall(fault.byMs);
    }
  }

  #processOf(who: "leader" | number): Process | undefined {
    return who === "leader" ? this.#leader : this.#agents[who];
  }

  /** Whoever stops a run may be too late, and hears of it. */
  async #stop(level: "drain" | "cut"): Promise<void> {
    const stop = { run: RUN, level, reason: "stopped by the simulation" };
    await stopRun({ transport: this.#direct, subjects: NAMES }, stop).catch(() => undefined);
  }

  async #forget(prefix: string): Promise<void> {
    const { state } = this.#direct;
    for (const key of await state.keys(prefix)) await state.delete(key);
  }

  /** As if a process of an earlier admission had gone on: intervals after the last that the log has of the agent. */
  async #appendOfOtherEpoch(agent: string): Promise<void> {
    const last = this.log.findLast((entry) => entry.kind === "snapshot" && entry.agent === agent);
    if (last === undefined) return;
    this.happenings.count("results of another epoch");
    const snapshot = decodeSnapshot(last.data);
    for (let more = 1; more <= 3; more += 1) {
      const other = { ...snapshot, epoch: snapshot.epoch - 1, seq: snapshot.seq + more };
      const { run, epoch, seq } = other;
      const id = { run, agent, epoch, kind: "snapshot", seq, resend: 0 } as const;
      await this.#direct.log.append(id, encodeSnapshot(other), { timeoutMs: 1000 });
    }
  }

  #killLeader(backMs: number | null): void {
    const leader = this.#leader;
    if (leader === undefined || leader.clock.isDead) return;
    leader.clock.kill();
    leader.mount?.lose();
    const known = this.#state;
    if (known !== undefined) this.happenings.count(`leader killed in ${known}`);
    if (backMs === null) return;
    if (known !== undefined) this.happenings.count(`leader restarted in ${known}`);
    this.clock.at(this.clock.nowUs() + backMs * 1000, () => this.#startCoordinator(leader.name, leader.host));
  }

  /** Its host's service manager starts it again. */
  #closeLeader(): void {
    const leader = this.#leader;
    if (leader === undefined || leader.clock.isDead) return;
    this.happenings.count("leaders closed");
    void leader.coordinator?.close();
    this.clock.at(this.clock.nowUs() + CLOSED_US, () => this.#startCoordinator(leader.name, leader.host));
  }

  #startCoordinator(name: string, host: string): void {
    const number = this.#coordinators.length + 1;
    const { process, random } = this.#process(host);
    const disk = this.disks.get(host) ?? new FaultyDisk();
    this.disks.set(host, disk);
    const mount = disk.mount({
      world: this.clock,
      process: process.clock,
      random,
      syncMaxUs: this.scenario.syncMaxUs,
    });
    const self: Process = { ...process, name, host, mount, ended: undefined };
    this.#coordinators.push(self);
    const transport = this.watch.coordinator(self.link.transport, { clock: self.clock, disk });
    const deps: CoordinatorDeps = {
      id: name,
      instance: `${name}-i${number}`,
      version: "0.1.0",
      clock: self.clock,
      transport,
      subjects: NAMES,
      logger: this.#logger(`${name}-i${number}`),
      http: async () => ({ status: 404, body: "" }),
      store: mount,
      toYaml: (plan) => `version: ${plan.version}\n`,
      onLeading: () => this.#lead(self),
    };
    self.coordinator = createCoordinator(deps);
    self.coordinator.run().catch((error: unknown) => {
      self.ended = error;
    });
  }

  #lead(leader: Process): void {
    this.#leader = leader;
    this.#leads += 1;
    if (this.#leads === 1) return;
    this.happenings.count("takeovers");
    if (this.#state !== undefined) this.happenings.count(`taken over in ${this.#state}`);
    if (this.#leads === 2) this.#trigger("taken over");
  }

  #startAgent(name: string): void {
    const { process } = this.#process(`host-${name}`);
    const { bus, log, state, dataSets } = process.link.transport;
    const agent = createAgent({
      id: name,
      instance: `${name}-i1`,
      host: `host-${name}`,
      pid: 1,
      version: "0.1.0",
      cores: 2,
      labels: {},
      clock: process.clock,
      bus: this.watch.agent(bus, process.clock),
      log,
      state,
      dataSets,
      subjects: NAMES,
      env: {},
      vitals: VITALS,
      logger: this.#logger(name),
      writeSpool: async (file, bytes) => {
        this.spooled.push(...decodeSpool(bytes, file));
        return `/spool/${file}`;
      },
      targets: simulatedTargets({
        agent: name,
        clock: process.clock,
        truth: this.truth,
        latencyUs: (key) => latencyOf(key),
        onSent: (id) => this.watch.sent(name, id),
      }),
      options: { retainBytes: this.scenario.retainBytes },
    });
    const self: Process = { ...process, name, host: `host-${name}`, agent, ended: undefined };
    this.#agents.push(self);
    agent.run().catch((error: unknown) => {
      self.ended = error;
    });
  }

  #process(host: string): { process: Pick<Process, "clock" | "link">; random: Random } {
    // Of its own, so that what one process does shifts no other's choices.
    const random = seededRandom(this.#random.int(0, 0x7fffffff));
    const clock = new ProcessClock({
      world: this.clock,
      offsetUs: random.int(0, 2_000_000_000),
      driftPpm: random.int(-50, 50),
      wallErrorMs: this.#drawWallErrorMs(random),
    });
    const link = new FaultyTransport({
      world: this.clock,
      process: clock,
      transport: this.#hub.connect(),
      random,
      faults: this.scenario.link,
      counts: this.#counts,
    });
    if (host === "") throw new Error("a process has a host");
    return { process: { clock, link }, random };
  }

  #drawWallErrorMs(random: Random): number {
    const ms = random.bool(0.9) ? random.int(-300_000, 300_000) : random.int(-20_000_000, 20_000_000);
    if (Math.abs(ms) >= 60_000) this.happenings.count("wall clocks wrong by minutes");
    return ms;
  }

  #logger(name: string) {
    const say = (level: string) => (message: string) => {
      this.lines.push(`${this.#stamp()} ${name} ${level} ${message}`);
    };
    return { info: say("info"), warn: say("warn"), error: say("error") };
  }

  #stamp(): string {
    return ((this.clock.nowUs() - 1_000_000_000) / 1e6).toFixed(3);
  }
}

/** 40 to 440 ms, by the key alone. */
function latencyOf(key: RequestKey): number {
  const number = key.kind === "open" ? key.k : key.user * 31 + key.j * 17;
  return 40_000 + ((number * 7919 + key.stage * 104_729) % 400) * 1000;
}

const VITALS: VitalsSource = {
  descriptorLimit: 0,
  localPortRange: 0,
  read: () => ({
    loopDelayP99Us: 100,
    loopDelayMaxUs: 200,
    utilisation: 0.1,
    cpu: 0.1,
    starvation: 0,
    gcUs: 0,
    throttledUs: 0,
    rssBytes: 1,
    descriptors: 20,
    descriptorLimit: 1024,
  }),
  beginProbe: () => undefined,
  endProbe: () => undefined,
  close: () => undefined,
};
