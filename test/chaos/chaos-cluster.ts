import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import type { PlanInput, RunRecord, RunReport } from "@tokenstorm/core";
import { decodeBeacon, decodeHeartbeat, getReport, subjects, type Transport } from "@tokenstorm/protocol";
import { connectNats } from "@tokenstorm/protocol/nats";
import { signalFamily, startTcpProxy, type TcpProxy } from "@tokenstorm/testkit";
import {
  type CliOptions,
  type Running,
  type Simulator,
  scratch,
  startCli,
  startSimulator,
  type TruthRecord,
} from "../integration/cli.js";
import {
  killAndRestartNats,
  startAgent,
  startCoordinator,
  startNats,
  type TestNats,
} from "../integration/cluster.js";
import { submit } from "../integration/killed-cluster.js";
import { type Joined, joinTruth } from "./joined-truth.js";
import { Onlooker } from "./onlooker.js";

/** Of one wait; a case has several. */
export const WAIT_LIMIT_MS = 90_000;
/** Of a whole case. */
export const CASE_LIMIT = { timeout: 240_000 } as const;
/** Soon enough for what its processes said to be told. */
const EXPLAINED_MS = CASE_LIMIT.timeout - 20_000;

/** As the image starts an agent: one process, which has room for its heap already. */
export const HEAP_ROOM = [
  "--min-semi-space-size=16",
  "--max-semi-space-size=32",
  "--initial-old-space-size=256",
];
/** Requests of a second or so: a drain lasts long enough to be seen. */
const SIMULATOR_ARGS = ["--time-scale", "2"];
/** Each look at the target's counters takes so much longer, so that what comes before and after a load can be seen. */
const SCRAPE_DELAY_MS = 400;

/** Of each process, when a case has failed. */
const LINES_SHOWN = 25;

/** How much load; the script asks for more than CI does. */
export const SIZE = {
  /** Every case, not only those that CI has time for. */
  isWhole: process.env["CHAOS_WHOLE"] === "1",
  users: Number(process.env["CHAOS_USERS"] ?? 8),
  measuredMs: Number(process.env["CHAOS_MEASURED_MS"] ?? 4000),
  /** Cases of one file side by side, and CI has two files at a time: each case is mostly waiting. */
  concurrency: Number(process.env["CHAOS_CONCURRENCY"] ?? 3),
  seed: Number(process.env["CHAOS_SEED"] ?? 1),
};

export function loadOf(durationMs: number): PlanInput["load"] {
  return { kind: "users", stages: [{ users: SIZE.users, rampUpMs: 0, settleMs: 0, durationMs }] };
}

/** Real processes on loopback, and the means to hold them against the target's log at the end. */
export class ChaosCluster {
  readonly t: TestContext;
  readonly nats: TestNats;
  readonly transport: Transport;
  simulator: Simulator;
  /** Before the target's counters. */
  readonly metrics: TcpProxy;
  readonly agents = new Map<string, Running>();
  readonly stampsFolder: string;
  readonly #ended = new Set<string>();
  readonly #processes: Running[] = [];
  /** Of targets that have ended before the last one. */
  readonly #earlierTruth: TruthRecord[] = [];
  #onlooker: Onlooker | undefined;

  private constructor(
    t: TestContext,
    world: { nats: TestNats; transport: Transport; simulator: Simulator; metrics: TcpProxy },
  ) {
    this.t = t;
    this.nats = world.nats;
    this.transport = world.transport;
    this.simulator = world.simulator;
    this.metrics = world.metrics;
    this.stampsFolder = scratch(t);
  }

  /** Undefined where there is no nats-server; the test is skipped then. */
  static async open(t: TestContext, given?: TestNats): Promise<ChaosCluster | undefined> {
    const nats = given ?? (await startNats(t));
    if (nats === undefined) return undefined;
    const simulator = await startSimulator(t, SIMULATOR_ARGS);
    const metrics = await startTcpProxy({ port: portOf(simulator.url), seed: SIZE.seed });
    t.after(() => metrics.close());
    metrics.setBoth({ delayMs: SCRAPE_DELAY_MS / 2 });
    const transport = await connectNats({ servers: nats.url.split(","), role: "coordinator", name: "test" });
    t.after(() => transport.close());
    return new ChaosCluster(t, { nats, simulator, transport, metrics });
  }

  async startAgent(
    id: string,
    options: { readonly natsUrl?: string; readonly cli?: CliOptions } = {},
  ): Promise<Running> {
    const nats = { ...this.nats, url: options.natsUrl ?? this.nats.url };
    const running = await startAgent(this.t, nats, ["--id", id], {
      nodeArgs: HEAP_ROOM,
      cwd: scratch(this.t),
      ...options.cli,
      env: { TOKENSTORM_DEBUG_STAMPS: this.stampsFolder, ...options.cli?.env },
    });
    this.agents.set(id, running);
    this.#processes.push(running);
    return running;
  }

  async startCoordinator(natsUrl = this.nats.url): Promise<Running> {
    const args = ["--no-http", "--out", scratch(this.t)];
    const running = await startCoordinator(this.t, { ...this.nats, url: natsUrl }, args);
    this.#processes.push(running);
    return running;
  }

  /** Another one, which waits for the first to fall silent. */
  async startStandby(natsUrl = this.nats.url): Promise<Running> {
    const args = ["coordinator", "--no-http", "--out", scratch(this.t)];
    const running = startCli(this.t, args, { env: { NATS_URL: natsUrl }, limitMs: 300_000 });
    this.#processes.push(running);
    await running.line(/standing by: coordinator .* leads \(term 1\)/);
    return running;
  }

  async submit(change: Partial<PlanInput> = {}): Promise<void> {
    this.#onlooker = await Onlooker.follow(this.transport, this.nats.url.split(","));
    await submit(this, {
      load: loadOf(SIZE.measuredMs),
      // Of unequal lengths, or all users would end in step, and the drain might be over before it is seen.
      workload: { inputTokens: 32, outputTokens: { kind: "uniform", min: 24, max: 96 } },
      metricsUrls: [`http://127.0.0.1:${this.metrics.port}/metrics`],
      ...change,
    });
  }

  /** By a signal that lets it write its log: what is under way is cut, and nobody is let in any more. */
  async endTarget(): Promise<void> {
    this.#earlierTruth.push(...(await this.simulator.truth()));
  }

  /** Another one, where the first one was. */
  async startTargetAgain(): Promise<void> {
    const port = String(portOf(this.simulator.url));
    this.simulator = await startSimulator(this.t, [...SIMULATOR_ARGS, "--port", port]);
  }

  /** Ends the target; of all that there were. */
  async truth(): Promise<TruthRecord[]> {
    return [...this.#earlierTruth, ...(await this.simulator.truth())];
  }

  restartNats(): Promise<void> {
    return killAndRestartNats(this.t, this.nats);
  }

  /** Nobody expects anything of it any more: it is dead. */
  forget(id: string): void {
    this.agents.delete(id);
  }

  /** So many beacons, about one a second, from now on. */
  async beacons(count: number): Promise<void> {
    let left = count;
    await this.heard(subjects().beacon, `${count} beacons`, (data) => {
      decodeBeacon(data);
      left -= 1;
      return left === 0;
    });
  }

  /** One agent cuts so many intervals, a second of its time each, from now on. */
  async intervals(count: number): Promise<void> {
    let until = Number.POSITIVE_INFINITY;
    await this.heard(subjects().heartbeats, `${count} intervals`, (data) => {
      const { lastCut } = decodeHeartbeat(data);
      until = Math.min(until, lastCut + count);
      return lastCut >= until;
    });
  }

  /** Each agent has cut an interval; false where it is over by then. */
  async cutting(): Promise<boolean> {
    const waiting = new Set(this.agents.keys());
    let isRunning = true;
    await this.heard(subjects().heartbeats, "agents that cut intervals", (data) => {
      const { agent, lastCut, state } = decodeHeartbeat(data);
      if (lastCut > 0 && waiting.delete(agent)) isRunning &&= state === "running";
      return waiting.size === 0;
    });
    return isRunning;
  }

  /** An agent tells of a request that failed. */
  async failing(): Promise<void> {
    await this.heard(subjects().heartbeats, "a request that failed", (data) => {
      const { ledger } = decodeHeartbeat(data);
      return ledger !== null && ledger.failed > 0;
    });
  }

  /** Gives the error back with what the processes said last. */
  async explained(error: unknown): Promise<unknown> {
    for (const one of this.#processes) {
      signalFamily(one.pid, "SIGKILL");
      const { stderr } = await one.finished;
      this.t.diagnostic(`${one.pid} said last:\n${stderr.split("\n").slice(-LINES_SHOWN).join("\n")}`);
    }
    return error;
  }

  /** Ends everything before its time. */
  async close(): Promise<void> {
    for (const process of this.#processes) {
      process.signal("SIGKILL");
      await process.finished;
    }
    await this.simulator.stop();
    await this.transport.close();
    await this.nats.server.close();
  }

  /** The agent says that it is in no run. */
  async idle(id: string): Promise<void> {
    await this.heard(subjects().heartbeats, `agent ${id} being idle`, (data) => {
      const { agent, run } = decodeHeartbeat(data);
      return agent === id && run === null;
    });
  }

  async heard(subject: string, what: string, isIt: (data: Uint8Array) => boolean): Promise<void> {
    let close: () => void = () => undefined;
    await new Promise<void>((resolve, reject) => {
      const limit = setTimeout(
        () => reject(new Error(`not within ${WAIT_LIMIT_MS} ms: ${what}`)),
        WAIT_LIMIT_MS,
      );
      const subscription = this.transport.bus.subscribe(subject, ({ data }) => {
        if (!isIt(data)) return;
        clearTimeout(limit);
        resolve();
      });
      close = () => subscription.close();
    }).finally(() => close());
  }

  /**
   * Ends agents and target, and joins what they and the log say with the report: each agent that lives has stamps to join,
   * and whoever looked on writes the same report.
   */
  async join(
    record: RunRecord,
    { isWayBroken, isNatsHit = false }: { readonly isWayBroken?: boolean; readonly isNatsHit?: boolean } = {},
  ): Promise<{ readonly report: RunReport; readonly joined: Joined }> {
    const report = await getReport(this.transport, record);
    const notCompared = await this.#onlooker?.compare({ record, report }, { mayMiss: isNatsHit });
    if (notCompared !== null) this.t.diagnostic(`THE ONLOOKER'S REPORT WAS NOT COMPARED: ${notCompared}`);
    const lived = new Set(record.shards.map(({ agent }) => agent).filter((id) => this.agents.has(id)));
    for (const [id, agent] of this.agents) {
      if (this.#ended.has(id)) continue;
      this.#ended.add(id);
      if (lived.has(id)) await agent.line(/stamps of every event (are in a file|could not be written)/);
      signalFamily(agent.pid, "SIGTERM");
      await agent.finished;
    }
    const truth = await this.truth();
    const { stampsFolder } = this;
    const joined = joinTruth({ record, report, truth, stampsFolder, lived, isWayBroken });
    return { report, joined };
  }

  /** The target never saw a request of the plan. */
  async assertNothingSent(run: string): Promise<void> {
    const sent = (await this.truth()).filter(({ id }) => id.startsWith(`ts-${run}-s`));
    assert.equal(sent.length, 0, "nothing was to be sent");
  }
}

export function portOf(url: string): number {
  return Number(new URL(url).port);
}

/** A case on a cluster of its own; undefined where there is no nats-server, and the test is skipped. */
export async function onCluster<T>(
  t: TestContext,
  nats: TestNats | undefined,
  body: (cluster: ChaosCluster) => Promise<T>,
): Promise<T | undefined> {
  const cluster = await ChaosCluster.open(t, nats);
  if (cluster === undefined) return undefined;
  let limit: NodeJS.Timeout | undefined;
  // The runner's own limit would end the case without a word of its processes.
  const late = new Promise<never>((_, reject) => {
    limit = setTimeout(() => reject(new Error(`not over within ${EXPLAINED_MS} ms`)), EXPLAINED_MS);
  });
  try {
    return await Promise.race([body(cluster), late]);
  } catch (error) {
    throw await cluster.explained(error);
  } finally {
    clearTimeout(limit);
  }
}
