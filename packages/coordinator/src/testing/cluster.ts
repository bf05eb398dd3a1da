import {
  type Clock,
  isTerminal,
  type LiveUpdate,
  type PlanInput,
  PlanSchema,
  type RunRecord,
} from "@tokenstorm/core";
import {
  type Beacon,
  createMemoryHub,
  decodeBeacon,
  decodeLive,
  readRun,
  subjects,
  submitRun,
  type Transport,
} from "@tokenstorm/protocol";
import { createCoordinator } from "../coordinator.js";
import type { Coordinator, CoordinatorDeps, HttpGet } from "../deps.js";
import { FakeAgent, type FakeAgentOptions } from "./fake-agent.js";
import { MemoryDirectories } from "./memory-directory.js";

/** Virtual time, handed in: the testkit's. */
export interface TestClock extends Clock {
  advanceByAsync(us: number): Promise<void>;
}

const STEP_US = 20_000;

/** A coordinator, scripted agents and a target's metrics, all in virtual time. */
export class Cluster {
  readonly clock: TestClock;
  readonly hub;
  readonly transport: Transport;
  readonly subjects = subjects();
  readonly store = new MemoryDirectories();
  readonly beacons: Beacon[] = [];
  readonly live: LiveUpdate[] = [];
  readonly logged: string[] = [];
  readonly agents: FakeAgent[] = [];
  readonly coordinators: { readonly coordinator: Coordinator; readonly ended: Promise<unknown> }[] = [];
  http: HttpGet = async () => ({ status: 404, body: "" });
  #runs = 0;

  constructor(clock: TestClock) {
    this.clock = clock;
    this.hub = createMemoryHub({ clock });
    this.transport = this.hub.connect();
    this.transport.bus.subscribe(this.subjects.beacon, ({ data }) => {
      try {
        this.beacons.push(decodeBeacon(data));
      } catch {
        // A test's own garbage.
      }
    });
    this.transport.bus.subscribe(this.subjects.allLive, ({ data }) => {
      try {
        this.live.push(decodeLive(data));
      } catch {
        // As above.
      }
    });
  }

  /** Starts another coordinator; `ended` gives the error that ended it, or undefined. */
  coordinate(change: Partial<CoordinatorDeps> = {}) {
    const say = (level: string) => (message: string) => this.logged.push(`${level} ${message}`);
    const number = this.coordinators.length + 1;
    const coordinator = createCoordinator({
      id: `c${number}`,
      instance: `c${number}-1`,
      version: "0.1.0",
      clock: this.clock,
      transport: this.hub.connect(),
      subjects: this.subjects,
      logger: { info: say("info"), warn: say("warn"), error: say("error") },
      http: (url, options) => this.http(url, options),
      store: this.store,
      toYaml: (plan) => `version: ${plan.version}\n`,
      ...change,
    });
    const ended = coordinator.run().then(
      () => undefined,
      (error: unknown) => error,
    );
    const started = { coordinator, ended };
    this.coordinators.push(started);
    return started;
  }

  agent(id: string, options: Partial<Omit<FakeAgentOptions, "id" | "clock">> = {}): FakeAgent {
    const agent = new FakeAgent({
      id,
      clock: this.clock,
      subjects: this.subjects,
      transport: this.hub.connect(),
      ...options,
    });
    this.agents.push(agent);
    return agent;
  }

  /** Submits a plan of one stage of two seconds, changed as asked for. */
  async submit(change: Partial<PlanInput> = {}): Promise<RunRecord> {
    this.#runs += 1;
    return submitRun(
      { transport: this.transport, subjects: this.subjects },
      { plan: testPlan(change), id: `r${this.#runs}`, salt: "s1", createdAtMs: this.clock.wallMs() },
    );
  }

  async record(run = "r1"): Promise<RunRecord> {
    return (await readRun(this.transport, run)).record;
  }

  /** Lets time pass until it holds; fails after `limitMs`. */
  async until(what: string, holds: () => boolean | Promise<boolean>, limitMs = 60_000): Promise<void> {
    const untilUs = this.clock.nowUs() + limitMs * 1000;
    while (!(await holds())) {
      if (this.clock.nowUs() >= untilUs)
        throw new Error(`not within ${limitMs} ms: ${what}\n${this.logged.join("\n")}`);
      await this.clock.advanceByAsync(STEP_US);
    }
  }

  async untilState(state: RunRecord["state"], run = "r1", limitMs = 60_000): Promise<RunRecord> {
    await this.until(`${run} is ${state}`, async () => (await this.record(run)).state === state, limitMs);
    return this.record(run);
  }

  async untilOver(run = "r1", limitMs = 120_000): Promise<RunRecord> {
    await this.until(`${run} is over`, async () => isTerminal((await this.record(run)).state), limitMs);
    return this.record(run);
  }

  async pass(ms: number): Promise<void> {
    await this.clock.advanceByAsync(ms * 1000);
  }

  /** The last live message of a run. */
  lastLive(run = "r1"): LiveUpdate | undefined {
    return this.live.findLast((update) => update.run === run);
  }
}

export function testPlan(change: Partial<PlanInput> = {}) {
  return PlanSchema.parse({
    version: 1,
    target: { urls: ["http://127.0.0.1:8000"], model: "test-model" },
    load: { kind: "users", stages: [{ users: 2, rampUpMs: 0, settleMs: 0, durationMs: 2000 }] },
    warmUp: { requests: 0 },
    agents: { min: 2, waitMs: 5000 },
    gracePeriodMs: 1000,
    deliverMs: 2000,
    ...change,
  });
}
