import { LoadError } from "@tokenstorm/core";
import { createMemoryHub, subjects } from "@tokenstorm/protocol";
import { pino } from "pino";
import { createProcessAgent } from "./agent-process.js";
import { allowedSecrets } from "./allow-secret.js";
import { rulesFromEnv } from "./allow-target.js";
import { type Cluster, clusterOf } from "./cluster.js";
import { createProcessCoordinator } from "./coordinator-process.js";
import { DEBUG_STAMPS_ENV } from "./debug-stamps-env.js";

export interface MemoryClusterOptions {
  readonly out: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Warnings and errors of coordinator and agent. */
  readonly onTrouble: (text: string) => void;
}

/** Coordinator and one agent in this very process: what is left where no nats-server can be had. */
export interface MemoryCluster {
  readonly cluster: Cluster;
  readonly broken: Promise<never>;
  /** May be called twice. */
  close(): Promise<void>;
}

export function startMemoryCluster(options: MemoryClusterOptions): MemoryCluster {
  const hub = createMemoryHub();
  const names = subjects();
  const allowTarget = rulesFromEnv(options.env);
  if ("problem" in allowTarget) throw new LoadError("AGENT_NOT_READY", allowTarget.problem);
  const log = pino({ level: "warn" }, { write: (line) => options.onTrouble(messageOf(line)) });
  const [forAgent, forCoordinator, ours] = [hub.connect(), hub.connect(), hub.connect()];
  const coordinator = createProcessCoordinator({
    transport: forCoordinator,
    subjects: names,
    out: options.out,
    allowTarget,
    log,
  });
  const agent = createProcessAgent({
    id: "local-1",
    labels: options.labels,
    transport: forAgent,
    subjects: names,
    env: options.env,
    allowTarget,
    secrets: { allowed: allowedSecrets({}, options.env), reserved: [] },
    log,
    spool: options.out,
    debugStamps: options.env[DEBUG_STAMPS_ENV],
  });
  const broken = new Promise<never>((_, reject) => {
    coordinator.run().catch(reject);
    agent.run().catch(reject);
  });
  broken.catch(() => undefined);
  let closing: Promise<void> | undefined;
  const close = async () => {
    await Promise.all([agent.close({ now: true }), coordinator.close()]);
    await Promise.all([forAgent, forCoordinator, ours].map((transport) => transport.close()));
  };
  return {
    cluster: clusterOf(ours, names),
    broken,
    close: () => {
      closing ??= close();
      return closing;
    },
  };
}

function messageOf(line: string): string {
  const entry: unknown = JSON.parse(line);
  return typeof entry === "object" && entry !== null && "msg" in entry ? String(entry.msg) : line;
}
