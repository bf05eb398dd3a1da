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
import { simulatedTargets, type TrueRequest } from "./simulated-target.js";
import type { Watch } from "./watch.js";

/** What every process of a simulated cluster calls its subjects by. */
export const NAMES = subjects();

export interface Process {
  readonly name: string;
  readonly host: string;
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

  constructor(options: ProcessesOptions) {
    this.#options = options;
    this.#hub = createMemoryHub({ clock: options.clock });
    this.direct = this.#hub.connect();
  }

  get all(): readonly Process[] {
    return [...this.coordinators, ...this.agents];
  }

  named(who: "leader" | number): Process | undefined {
    return who === "leader" ? this.leader : this.agents[who];
  }

  startCoordinator(name: string, host: string): void {
    const { clock, scenario, watch, onLead } = this.#options;
    const number = this.coordinators.length + 1;
    const { process, random } = this.#process();
    const disk = this.disks.get(host) ?? new FaultyDisk();
    this.disks.set(host, disk);
    const { syncMaxUs } = scenario;
    const mount = disk.mount({ world: clock, process: process.clock, random, syncMaxUs });
    const self: Process = { ...process, name, host, mount, ended: undefined };
    this.coordinators.push(self);
    const coordinator = createCoordinator({
      id: name,
      instance: `${name}-i${number}`,
      version: "0.1.0",
      clock: self.clock,
      transport: watch.coordinator(self.link.transport, { clock: self.clock, disk }),
      subjects: NAMES,
      logger: this.#logger(`${name}-i${number}`),
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

  startAgent(name: string): void {
    const { scenario, watch } = this.#options;
    const { process } = this.#process();
    const host = `host-${name}`;
    const self: Process = { ...process, name, host, ended: undefined };
    this.agents.push(self);
    const { bus, log, state, dataSets } = process.link.transport;
    const agent = createAgent({
      id: name,
      instance: `${name}-i1`,
      host,
      pid: 1,
      version: "0.1.0",
      cores: 2,
      labels: {},
      clock: process.clock,
      bus: watch.agent(name, bus, process.clock),
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

  #process(): { process: Pick<Process, "clock" | "link">; random: Random } {
    const { clock: world, scenario } = this.#options;
    // Of its own, so that what one process does shifts no other's choices.
    const random = seededRandom(this.#options.random.int(0, 0x7fffffff));
    const clock = new ProcessClock({
      world,
      offsetUs: random.int(0, 2_000_000_000),
      driftPpm: random.int(-50, 50),
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
    return { process: { clock, link }, random };
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

/** 40 to 440 ms, by the key alone. */
function latencyOf(key: RequestKey): number {
  const number = key.kind === "open" ? key.k : key.user * 31 + key.j * 17;
  return 40_000 + ((number * 7919 + key.stage * 104_729) % 400) * 1000;
}

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
