import { type Agent, createAgent, type VitalsSource } from "@tokenstorm/agent";
import { type Coordinator, createCoordinator } from "@tokenstorm/coordinator";
import type { RequestKey } from "@tokenstorm/core";
import {
  createMemoryHub,
  decodeSpool,
  type SpoolEntry,
  subjects,
  type Transport,
} from "@tokenstorm/protocol";
import {
  CALM_FIGURES,
  type DiskMount,
  FaultyDisk,
  FaultyTransport,
  noCounts,
  ProcessClock,
  type Random,
  seededRandom,
  type VirtualClock,
} from "@tokenstorm/testkit";
import type { Happenings } from "./coverage.js";
import type { Scenario } from "./scenario.js";
import { type PlannedAnswer, simulatedTargets, type TrueRequest } from "./simulated-target.js";
import type { Watch } from "./watch.js";

/** No process's clock runs faster or slower than the true time by more. */
export const MOST_DRIFT_PPM = 50;

/** What every process of a simulated cluster calls its subjects by. */
export const NAMES = subjects();

export interface Process {
  readonly name: string;
  /** Of this process alone. */
  readonly instance: string;
  readonly host: string;
  /** True time, us. */
  readonly startedUs: number;
  readonly clock: ProcessClock;
  readonly link: FaultyTransport;
  /** Of a coordinator. */
  readonly mount?: DiskMount;
  coordinator?: Coordinator;
  /** Set when it ended by itself, which none should. */
  ended: unknown;
}

export interface ProcessesOptions {
  readonly clock: VirtualClock;
  readonly random: Random;
  readonly scenario: Scenario;
  readonly watch: Watch;
  readonly happenings: Happenings;
  readonly say: (text: string) => void;
  readonly onLead: () => void;
}

/** The processes of a cluster, their hosts' disks and clocks, and the server between them. */
export class Processes {
  /** Past the faults: what the server holds. */
  readonly direct: Transport;
  readonly truth: TrueRequest[] = [];
  readonly spooled: SpoolEntry[] = [];
  readonly disks = new Map<string, FaultyDisk>();
  readonly counts = noCounts();
  readonly coordinators: Process[] = [];
  readonly agents: Process[] = [];
  /** Whoever took the lead last. */
  leader: Process | undefined;
  readonly #options: ProcessesOptions;
  readonly #hub;
  /** True times, us: until then nobody reaches the server, and its log takes nothing. */
  #cutUntilUs = Number.NEGATIVE_INFINITY;
  #logFullUntilUs = Number.NEGATIVE_INFINITY;

  constructor(options: ProcessesOptions) {
    this.#options = options;
    this.#hub = createMemoryHub({ clock: options.clock });
    this.direct = this.#hub.connect();
  }

  get all(): readonly Process[] {
    return [...this.coordinators, ...this.agents];
  }

  /** Of an agent the process that came last. */
  named(who: "leader" | number): Process | undefined {
    return who === "leader" ? this.leader : this.agents.findLast(({ name }) => name === agentName(who));
  }

  /** Nobody reaches the server, whoever starts meanwhile included. */
  cutAll(untilUs: number): void {
    this.#cutUntilUs = Math.max(this.#cutUntilUs, untilUs);
    for (const { link } of this.all) link.cut("both", untilUs);
  }

  /** The server's log takes nothing more, of nobody. */
  fillLog(untilUs: number): void {
    this.#logFullUntilUs = Math.max(this.#logFullUntilUs, untilUs);
    for (const { link } of this.all) link.refuseAppends(untilUs);
  }

  startCoordinator(name: string, host: string): void {
    const { clock, scenario, watch, onLead } = this.#options;
    const instance = `${name}-i${this.coordinators.length + 1}`;
    const { process, random } = this.#process();
    const disk = this.disks.get(host) ?? new FaultyDisk();
    this.disks.set(host, disk);
    const { syncMaxUs } = scenario;
    const mount = disk.mount({ world: clock, process: process.clock, random, syncMaxUs });
    const self: Process = { ...process, name, instance, host, mount, ended: undefined };
    this.coordinators.push(self);
    const coordinator = createCoordinator({
      id: name,
      instance,
      version: "0.1.0",
      clock: self.clock,
      transport: watch.coordinator(self.link.transport, { clock: self.clock, disk }),
      subjects: NAMES,
      logger: this.#logger(instance),
      http: async () => ({ status: 404, body: "" }),
      store: mount,
      toYaml: (plan) => `version: ${plan.version}\n`,
      onLeading: () => {
        this.leader = self;
        onLead();
      },
    });
    self.coordinator = coordinator;
    runOf(self, coordinator);
  }

  /** Also one more process of a name: another instance, as if its host had been started anew. */
  startAgent(name: string): void {
    const { scenario, watch } = this.#options;
    const { process } = this.#process();
    const host = `host-${name}`;
    const instance = `${name}-i${this.agents.filter((one) => one.name === name).length + 1}`;
    const self: Process = { ...process, name, instance, host, ended: undefined };
    this.agents.push(self);
    const { bus, log, state, dataSets } = process.link.transport;
    const agent = createAgent({
      id: name,
      instance,
      host,
      pid: 1,
      version: "0.1.0",
      cores: 2,
      labels: {},
      clock: process.clock,
      bus: watch.agent(instance, bus, process.clock),
      log,
      state,
      dataSets,
      subjects: NAMES,
      env: {},
      vitals: VITALS,
      logger: this.#logger(instance),
      writeSpool: async (file, bytes) => {
        this.spooled.push(...decodeSpool(bytes, file));
        return `/spool/${file}`;
      },
      targets: simulatedTargets({
        agent: name,
        instance,
        clock: process.clock,
        truth: this.truth,
        answerTo: (key) => answerTo(key, scenario.failShare),
        onSent: (id) => watch.sent(name, id),
      }),
      options: { retainBytes: scenario.retainBytes },
    });
    runOf(self, agent);
  }

  /** Every process ends, so that nothing is left behind. */
  close(): void {
    for (const { clock } of this.all) clock.kill();
  }

  #process(): { process: Pick<Process, "clock" | "link" | "startedUs">; random: Random } {
    const { clock: world, scenario } = this.#options;
    // Of its own, so that what one process does shifts no other's choices.
    const random = seededRandom(this.#options.random.int(0, 0x7fffffff));
    const clock = new ProcessClock({
      world,
      offsetUs: random.int(0, 2_000_000_000),
      driftPpm: random.int(-MOST_DRIFT_PPM, MOST_DRIFT_PPM),
      wallErrorMs: this.#drawWallErrorMs(random),
    });
    const link = new FaultyTransport({
      world,
      process: clock,
      transport: this.#hub.connect(),
      random,
      faults: scenario.link,
      counts: this.counts,
    });
    if (world.nowUs() < this.#cutUntilUs) link.cut("both", this.#cutUntilUs);
    link.refuseAppends(this.#logFullUntilUs);
    return { process: { clock, link, startedUs: world.nowUs() }, random };
  }

  #drawWallErrorMs(random: Random): number {
    const ms = random.bool(0.9) ? random.int(-300_000, 300_000) : random.int(-20_000_000, 20_000_000);
    if (Math.abs(ms) >= 60_000) this.#options.happenings.count("wall clocks wrong by minutes");
    return ms;
  }

  #logger(name: string) {
    const say = (level: string) => (message: string) => this.#options.say(`${name} ${level} ${message}`);
    return { info: say("info"), warn: say("warn"), error: say("error") };
  }
}

function runOf(self: Process, program: Agent | Coordinator): void {
  program.run().catch((error: unknown) => {
    self.ended = error;
  });
}

/** A1 is number 0. */
export function agentName(number: number): string {
  return `a${number + 1}`;
}

/** 40 to 440 ms, or as long as a server is waited for that says nothing more; by the key alone. */
function answerTo(key: RequestKey, failShare: number): PlannedAnswer {
  const number = key.kind === "open" ? key.k : key.user * 31 + key.j * 17;
  const latencyUs = 40_000 + ((number * 7919 + key.stage * 104_729) % 400) * 1000;
  const draw = seededRandom(number * 1009 + key.stage).next();
  if (draw >= failShare) return { latencyUs, failure: null };
  return draw < failShare / 4
    ? { latencyUs: latencyUs + STALL_US, failure: "stall-timeout" }
    : { latencyUs, failure: "http-5xx" };
}

/** Some are cut off at the end of the grace time. */
const STALL_US = 3_000_000;

const VITALS: VitalsSource = {
  descriptorLimit: 0,
  localPortRange: 0,
  read: () => ({
    ...CALM_FIGURES,
    descriptors: 20,
    descriptorLimit: 1024,
  }),
  beginProbe: () => undefined,
  endProbe: () => undefined,
  close: () => undefined,
};
