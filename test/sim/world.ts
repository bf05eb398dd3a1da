import { type Agent, createAgent, type VitalsSource } from "@tokenstorm/agent";
import { type CoordinatorDeps, createCoordinator } from "@tokenstorm/coordinator";
import { isTerminal, PlanSchema, type RequestKey, type RunRecord } from "@tokenstorm/core";
import {
  createMemoryHub,
  decodeBeacon,
  decodeRunRecord,
  decodeSpool,
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
import { drawScenario, FAULT_STATES, type Fault, type FaultState, type Scenario } from "./scenario.js";
import { simulatedTargets, type TrueRequest } from "./simulated-target.js";

export const RUN = "r1";
const NAMES = subjects();

/** A takeover, and the time after which a leader looks through the log again. */
const PURGE_LIMIT_US = 90_000_000;

interface Process {
  readonly name: string;
  readonly clock: ProcessClock;
  readonly link: FaultyTransport;
  readonly host: string;
  readonly mount?: DiskMount;
  readonly agent?: Agent;
  /** Set when it ended by itself, which none should. */
  ended: unknown;
}

/** What happened in one seed, for the suite to see that all of it did happen somewhere. */
export interface Coverage {
  readonly link: ReturnType<typeof noCounts>;
  readonly killedIn: Record<FaultState, number>;
  readonly pausedLeaders: number;
  readonly takeovers: number;
  readonly killedAgents: number;
  readonly natsRestarts: number;
  readonly stops: number;
  readonly spooled: number;
  /** Agents that a run went on without, that came back to it, and whose shards went to others. */
  readonly goneOnWithout: number;
  readonly found: number;
  readonly moved: number;
}

/** A cluster in virtual time: processes, their hosts' disks, and the server between them, with faults from one seed. */
export class World {
  readonly seed: number;
  readonly scenario: Scenario;
  readonly clock = new VirtualClock({ nowUs: 1_000_000_000, turns: 1 });
  readonly truth: TrueRequest[] = [];
  readonly log: LogEntry[] = [];
  readonly spooled: SpoolEntry[] = [];
  readonly lines: string[] = [];
  readonly disks = new Map<string, FaultyDisk>();
  readonly terms = new Set<number>();
  /** What must never be. */
  readonly violations: string[] = [];
  record: RunRecord | undefined;
  readonly #random: Random;
  readonly #hub = createMemoryHub({ clock: this.clock });
  readonly #direct: Transport = this.#hub.connect();
  readonly #counts = noCounts();
  readonly #coordinators: Process[] = [];
  readonly #agents: Process[] = [];
  readonly #killedIn = Object.fromEntries(FAULT_STATES.map((state) => [state, 0])) as Record<
    FaultState,
    number
  >;
  #happened = { pausedLeaders: 0, killedAgents: 0, natsRestarts: 0, stops: 0 };
  #seen = new Set<string>();
  #highestTerm = 0;
  #revision = 0;
  #state: FaultState | undefined;
  #leader: Process | undefined;

  constructor(seed: number) {
    this.seed = seed;
    this.#random = seededRandom(seed);
    this.scenario = drawScenario(this.#random);
  }

  coverage(): Coverage {
    return {
      link: this.#counts,
      killedIn: this.#killedIn,
      takeovers: Math.max(0, this.terms.size - 1),
      spooled: this.spooled.length,
      goneOnWithout: this.record?.losses?.length ?? 0,
      found: this.record?.losses?.filter(({ foundUs }) => foundUs !== null).length ?? 0,
      moved: this.record?.moves?.length ?? 0,
      ...this.#happened,
    };
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
    while (clock.nowUs() < untilUs && !(this.record !== undefined && isTerminal(this.record.state))) {
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
    if (entry === undefined || entry.revision === this.#revision) return;
    this.#revision = entry.revision;
    this.record = decodeRunRecord(entry.value);
    this.#see(this.record);
  }

  /** What was planned for a state happens as soon as that is seen. */
  #see(record: RunRecord): void {
    const { state, term } = record;
    if (term > 0) this.terms.add(term);
    this.#state = FAULT_STATES.find((one) => one === state);
    if (this.#seen.has(state)) return;
    this.#seen.add(state);
    for (const { state: when, afterMs, fault } of this.scenario.faults) {
      if (when === state) this.clock.at(this.clock.nowUs() + afterMs * 1000, () => this.#happen(fault));
    }
  }

  #happen(fault: Fault): void {
    const nowUs = this.clock.nowUs();
    const after = (ms: number) => nowUs + ms * 1000;
    this.lines.push(`${this.#stamp()} ** ${JSON.stringify(fault)}`);
    switch (fault.kind) {
      case "kill-leader":
        this.#killLeader(fault.backMs);
        return;
      case "pause-leader":
        this.#leader?.clock.pauseUntil(after(fault.forMs));
        this.#happened.pausedLeaders += 1;
        return;
      case "pause-agent":
        this.#agents[fault.agent]?.clock.pauseUntil(after(fault.forMs));
        return;
      case "partition": {
        const process = fault.of === "leader" ? this.#leader : this.#agents[fault.of];
        process?.link.cut(fault.direction, after(fault.forMs));
        return;
      }
      case "restart-nats":
        for (const { link } of [...this.#coordinators, ...this.#agents]) link.cut("both", after(fault.forMs));
        this.#happened.natsRestarts += 1;
        return;
      case "kill-agent":
        this.#agents[fault.agent]?.clock.kill();
        this.#happened.killedAgents += 1;
        return;
      case "stop":
        this.#happened.stops += 1;
        // Whoever stops a run may be too late, and hears of it.
        void stopRun(
          { transport: this.#direct, subjects: NAMES },
          { run: RUN, level: fault.level, reason: "stopped by the simulation" },
        );
    }
  }

  #killLeader(backMs: number | null): void {
    const leader = this.#leader;
    if (leader === undefined || leader.clock.isDead) return;
    leader.clock.kill();
    leader.mount?.lose();
    const known = this.#state;
    if (known !== undefined) this.#killedIn[known] += 1;
    if (backMs === null) return;
    this.clock.at(this.clock.nowUs() + backMs * 1000, () => this.#startCoordinator(leader.name, leader.host));
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
    const transport = this.#watched(self);
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
      onLeading: (term) => {
        this.terms.add(term);
        this.#leader = self;
      },
    };
    createCoordinator(deps)
      .run()
      .catch((error: unknown) => {
        self.ended = error;
      });
  }

  /** Nobody may speak under a term once a higher one has been spoken under. */
  #watched(process: Process): Transport {
    const { transport } = process.link;
    const publish: Transport["bus"]["publish"] = (subject, data) => {
      if (subject === NAMES.beacon && !process.clock.isDead) {
        const { term, leader } = decodeBeacon(data);
        if (term < this.#highestTerm)
          this.violations.push(`${leader} speaks under term ${term} after ${this.#highestTerm}`);
        this.#highestTerm = Math.max(this.#highestTerm, term);
      }
      transport.bus.publish(subject, data);
    };
    const compareAndSet: Transport["state"]["compareAndSet"] = async (key, value, expected) => {
      const revision = await transport.state.compareAndSet(key, value, expected);
      // Some states last for milliseconds: whoever writes them is watched.
      if (revision !== undefined && key === runKey(RUN)) this.#see(decodeRunRecord(value));
      return revision;
    };
    return {
      ...transport,
      bus: { ...transport.bus, publish },
      state: { ...transport.state, compareAndSet },
    };
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
      bus,
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
      wallErrorMs: random.int(-300_000, 300_000),
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
