import assert from "node:assert/strict";
import { createAgent, type VitalsSource } from "@tokenstorm/agent";
import { createCoordinator, type RunDirectory, type RunDirectoryStore } from "@tokenstorm/coordinator";
import {
  createAggregate,
  type DefinitionsReport,
  isTerminal,
  LoadError,
  type PlanInput,
  type RunFacts,
  type RunReport,
  recompute,
  requirePlan,
  resolveStages,
} from "@tokenstorm/core";
import {
  createMemoryHub,
  lineToResult,
  readRun,
  reportFromJson,
  subjects,
  submitRun,
} from "@tokenstorm/protocol";
import { createVirtualServer, type SimulatorOptions, type VirtualServer } from "@tokenstorm/simulator";
import { CALM_FIGURES, VirtualClock } from "@tokenstorm/testkit";
import { createVirtualTarget } from "./virtual-target.js";

export interface VirtualRunOptions {
  readonly plan: PlanInput;
  readonly simulator: SimulatorOptions;
  readonly agents: number;
  /** Virtual time after which a run that is not over has failed. */
  readonly mostHours?: number;
}

/** One run as its directory tells it. */
export interface VirtualRun {
  readonly report: RunReport;
  /** The same run by the study's definitions. */
  readonly study: DefinitionsReport;
  readonly server: VirtualServer;
}

const STEP_US = 1_000_000;

/**
 * A whole run in virtual time: a real coordinator and real agents, with schedule, recorder, outbox, fold, run directory and
 * report, over the transport in memory. Only sockets, clock and disk are others: requests go to the simulator's engine, and
 * no time passes but the engine's and what the plan and the protocol wait for.
 */
export async function runInVirtualCluster(options: VirtualRunOptions): Promise<VirtualRun> {
  const clock = new VirtualClock({ nowUs: 5_000_000 });
  const hub = createMemoryHub({ clock });
  const names = subjects();
  const transport = hub.connect();
  const server = createVirtualServer({ promptTokensDetails: true, ...options.simulator }, clock);
  const store = new MemoryStore();
  const troubles: string[] = [];
  const say = (message: string) => troubles.push(message);
  const logger = { info: () => undefined, warn: say, error: say };
  const coordinator = createCoordinator({
    id: "c1",
    instance: "c1-1",
    version: "0.1.0",
    clock,
    transport: hub.connect(),
    subjects: names,
    logger,
    http: async () => ({ status: 200, body: server.metricsPage() }),
    store,
    toYaml: (plan) => JSON.stringify(plan),
  });
  const agents = Array.from({ length: options.agents }, (_, i) =>
    createAgent({
      id: `a${i + 1}`,
      instance: `a${i + 1}-1`,
      host: "virtual",
      pid: 1,
      version: "0.1.0",
      cores: 2,
      labels: {},
      clock,
      ...channels(hub.connect()),
      subjects: names,
      env: {},
      vitals: idleVitals(),
      logger,
      writeSpool: async (name) => assert.fail(`results were not delivered: ${name}`),
      targets: (target) => createVirtualTarget(server, clock, target),
    }),
  );
  const running = [coordinator.run(), ...agents.map((agent) => agent.run())].map((run) =>
    run.then(
      () => undefined,
      (error: unknown) => error,
    ),
  );
  const plan = requirePlan({ agents: { min: options.agents }, ...options.plan });
  const salt = plan.salt ?? "virtual";
  await clock.advanceByAsync(2_000_000);
  await submitRun({ transport, subjects: names }, { plan, id: "r1", salt, createdAtMs: clock.wallMs() });
  const untilUs = clock.nowUs() + (options.mostHours ?? 24) * 3600e6;
  for (;;) {
    await clock.advanceByAsync(STEP_US);
    // A record is long to read: it is looked at when the report has been written, and at the end of patience.
    const isLate = clock.nowUs() >= untilUs;
    if (!store.has("report.json") && !isLate) continue;
    const { record } = await readRun(transport, "r1");
    if (isTerminal(record.state)) break;
    assert.ok(!isLate, `the run is still ${record.state}: ${troubles.join("; ")}`);
  }
  const closing = [...agents.map((agent) => agent.close({ now: true })), coordinator.close()];
  await clock.advanceByAsync(10_000_000);
  await Promise.all(closing);
  for (const error of await Promise.all(running)) if (error !== undefined) throw error;
  return { ...store.read(), server };
}

function channels({ bus, log, state, dataSets }: ReturnType<ReturnType<typeof createMemoryHub>["connect"]>) {
  return { bus, log, state, dataSets };
}

/** A process that has nothing else to do: in virtual time no call is late. */
function idleVitals(): VitalsSource {
  const figures = {
    ...CALM_FIGURES,
    descriptors: 20,
    descriptorLimit: 1_000_000,
  };
  return {
    descriptorLimit: 1_000_000,
    localPortRange: 0,
    read: () => figures,
    beginProbe: () => undefined,
    endProbe: () => undefined,
    close: () => undefined,
  };
}

/** The run's directory, in memory. */
class MemoryStore implements RunDirectoryStore {
  readonly #files = new Map<string, string>();

  open(name: string): Promise<RunDirectory> {
    return this.reopen(name);
  }

  async reopen(name: string): Promise<RunDirectory> {
    const files = this.#files;
    return {
      path: name,
      readLines: async function* (file) {
        for (const line of (files.get(file) ?? "").split("\n")) if (line !== "") yield line;
      },
      appendLine: (file, line) => {
        files.set(file, `${files.get(file) ?? ""}${line}\n`);
      },
      sync: async () => undefined,
      writeFile: async (file, text) => {
        files.set(file, text);
      },
      close: async () => undefined,
    };
  }

  has(file: string): boolean {
    return this.#files.has(file);
  }

  /** The report as the leader wrote it, and the study's definitions from the intervals. */
  read(): { readonly report: RunReport; readonly study: DefinitionsReport } {
    const report = reportFromJson(this.#text("report.json"), "report.json");
    const kept: { readonly facts: RunFacts } = JSON.parse(this.#text("run.json"));
    const { facts } = kept;
    const stages = resolveStages(facts.record.plan);
    const aggregate = createAggregate({ stages, shards: facts.record.shards });
    for (const line of this.#text("snapshots.ndjson").split("\n")) {
      if (line === "") continue;
      const result = lineToResult(line);
      if (result.kind === "snapshot") aggregate.fold(result.snapshot);
      else aggregate.foldFinal(result.final);
    }
    return { report, study: recompute("study", { facts, stages, aggregate }) };
  }

  #text(file: string): string {
    const text = this.#files.get(file);
    if (text === undefined) throw new LoadError("RESULTS_UNREADABLE", `the run left no ${file}`);
    return text;
  }
}
