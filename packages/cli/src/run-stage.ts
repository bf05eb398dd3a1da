import { autoProcesses } from "@tokenstorm/agent/host";
import type { TestPlan } from "@tokenstorm/core";
import { findNatsServer } from "@tokenstorm/protocol/nats";
import { type Cluster, connectCluster } from "./cluster.js";
import { startLocalCluster } from "./local-cluster.js";
import type { NatsAccess } from "./nats-options.js";
import type { OutcomeOptions } from "./run-outcome.js";

/** Where a run takes place: a cluster that was there, one made for it, or this process. */
export interface RunStage {
  readonly cluster: Cluster;
  /** The plan as it will be submitted. */
  readonly plan: TestPlan;
  readonly place: OutcomeOptions["place"];
  /** Agent processes that were started for it; null where it found its agents, or is one process itself. */
  readonly processes: number | null;
  readonly broken: Promise<never>;
  /** What must be said first and last, on stderr. */
  readonly firstLine: string | null;
  readonly lastLine: string | null;
  /** May be called twice. */
  close(): Promise<void>;
}

const NOT_DISTRIBUTED =
  "note: no nats-server can be had here: one agent in this same process over memory. This is not the distributed path";

const never = new Promise<never>(() => undefined);

/** The cluster behind a NATS server that is there. */
export async function openNatsStage(plan: TestPlan, access: NatsAccess): Promise<RunStage> {
  const cluster = await connectCluster(access, "operator");
  const url = cluster.transport.server?.url ?? access.servers.join(",");
  return {
    cluster,
    plan,
    place: { kind: "nats", url },
    processes: null,
    broken: never,
    firstLine: null,
    lastLine: null,
    close: () => cluster.transport.close(),
  };
}

export interface LocalStageOptions {
  readonly processes?: number | "auto";
  readonly out: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly signal: AbortSignal;
  readonly onNote: (text: string) => void;
}

/** NATS, coordinator and agents started for this run; all in this process where no nats-server can be had. */
export async function openLocalStage(plan: TestPlan, options: LocalStageOptions): Promise<RunStage> {
  const found = await findNatsServer(options.env);
  if (found === undefined) return openMemoryStage(plan, options);
  const processes = processesFor(plan, options.processes);
  const local = await startLocalCluster({
    bin: found.bin,
    processes,
    out: options.out,
    labels: plan.agents.labels ?? {},
    onTrouble: options.onNote,
    signal: options.signal,
  });
  try {
    const cluster = await connectCluster({ servers: [local.url] }, "operator");
    return {
      cluster,
      // All of them take part, so the run waits for all.
      plan: { ...plan, agents: { ...plan.agents, min: processes } },
      place: { kind: "here" },
      processes,
      broken: local.broken,
      firstLine: null,
      lastLine: null,
      close: async () => {
        await cluster.transport.close();
        await local.close();
      },
    };
  } catch (error) {
    await local.close();
    throw error;
  }
}

/** As many as were asked for by flag, else by the plan, else as this machine carries. */
function processesFor(plan: TestPlan, asked: number | "auto" | undefined): number {
  if (typeof asked === "number") return asked;
  return plan.agents.min > 1 ? plan.agents.min : autoProcesses();
}

async function openMemoryStage(plan: TestPlan, options: LocalStageOptions): Promise<RunStage> {
  // Loaded where it is wanted: a run on processes of its own needs neither agent nor coordinator in this one.
  const { startMemoryCluster } = await import("./memory-cluster.js");
  const memory = startMemoryCluster({
    out: options.out,
    labels: plan.agents.labels ?? {},
    env: options.env,
    onTrouble: options.onNote,
  });
  return {
    cluster: memory.cluster,
    plan: { ...plan, agents: { ...plan.agents, min: 1 } },
    place: { kind: "here" },
    processes: null,
    broken: memory.broken,
    firstLine: NOT_DISTRIBUTED,
    lastLine: NOT_DISTRIBUTED,
    close: () => memory.close(),
  };
}
