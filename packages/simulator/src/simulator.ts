import { createServer, type Server, type Socket } from "node:net";
import { LoadError } from "@tokenstorm/core";
import { cautions } from "./cautions.js";
import type { EngineStats } from "./engine/engine.js";
import { GenerationService } from "./generation-service.js";
import { HttpConnection } from "./http/connection.js";
import { createRouter } from "./http/router.js";
import { monotonicUs } from "./monotonic.js";
import type { SimulatorConfig, SimulatorOptions } from "./options.js";
import { scheduleRefusals } from "./refusals.js";
import { resolveOptions } from "./resolve-options.js";
import { TruthLogWriter } from "./truth-log-writer.js";

/** vLLM's own: connections beyond it wait in the client. */
const ACCEPT_BACKLOG = 2048;
const MAX_HEAD_BYTES = 64 * 1024;
/** asyncio's, at which uvicorn waits for the client and vLLM begins to merge. */
const WRITE_BUFFER_BYTES = 64 * 1024;

export interface SimulatorStats extends EngineStats {
  /** Requests to the generation endpoints so far, refused ones included. */
  readonly requests: number;
  /** Requests received and not yet answered. */
  readonly open: number;
  readonly connections: number;
  readonly promptTokens: number;
  readonly generationTokens: number;
  /** Time the engine lost because the process fell behind by more than a step: 0 in a sound run. */
  readonly slippedUs: number;
}

export interface Simulator {
  readonly url: string;
  readonly port: number;
  /** The name it serves its model under. */
  readonly model: string;
  /** What must not be taken for a measurement, in sentences. */
  readonly cautions: readonly string[];
  stats(): SimulatorStats;
  /** Cuts what is under way, writes the truth log to its end, and frees the port. May be called twice. */
  close(): Promise<void>;
}

/** Starts a simulated vLLM server. Throws LoadError PLAN_INVALID for an option that does not hold. */
export async function startSimulator(options: SimulatorOptions = {}): Promise<Simulator> {
  const config = resolveOptions(options);
  const truth = openTruthLog(config);
  const service = new GenerationService(config, truth);
  const connections = new Map<Socket, HttpConnection>();
  const handle = createRouter(config, service);
  const server = createServer({ noDelay: true, highWaterMark: WRITE_BUFFER_BYTES }, (socket) => {
    const limits = { headBytes: MAX_HEAD_BYTES, bodyBytes: config.maxBodyBytes };
    const { keepAliveMs } = config;
    connections.set(socket, new HttpConnection({ socket, limits, keepAliveMs, nowUs: monotonicUs, handle }));
    socket.once("close", () => connections.delete(socket));
  });
  const finish = (): void => {
    service.close();
    truth.close();
  };
  try {
    await listen(server, config);
  } catch (error) {
    finish();
    throw error;
  }
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : config.port;
  let closing: Promise<void> | undefined;
  const endRefusals = scheduleRefusals(config.faultSchedule, {
    tell: (state) => truth.addRefusal(state),
    deafen: () => {
      server.close();
      for (const connection of connections.values()) if (connection.isIdle) connection.close();
    },
    listenAgain: () => listenAgain(server, { ...config, port }, () => closing === undefined),
  });
  const forgetProcess = finishWithProcess(finish);
  const close = async (): Promise<void> => {
    forgetProcess();
    endRefusals();
    finish();
    for (const connection of connections.values()) connection.close();
    await new Promise<void>((resolve) => server.close(() => resolve()));
  };
  return {
    url: `http://${config.host.includes(":") ? `[${config.host}]` : config.host}:${port}`,
    port,
    model: config.model,
    cautions: cautions(config),
    stats: () => ({
      ...service.engines.stats(),
      requests: service.requests,
      open: truth.open,
      connections: connections.size,
      slippedUs: Math.round(service.engines.slippedUs),
    }),
    close: () => {
      closing ??= close();
      return closing;
    },
  };
}

function openTruthLog(config: SimulatorConfig): TruthLogWriter {
  const { apiKey, ...open } = config;
  try {
    return new TruthLogWriter(config.truthLogFile, { ...open, hasApiKey: apiKey !== undefined });
  } catch (cause) {
    throw new LoadError("PLAN_INVALID", `the truth log ${config.truthLogFile} cannot be written`, { cause });
  }
}

function listen(server: Server, config: SimulatorConfig): Promise<void> {
  const { host, port } = config;
  return new Promise((resolve, reject) => {
    server.once("error", (cause: NodeJS.ErrnoException) => {
      const message = `the simulator cannot listen on ${host}:${port} (${cause.code ?? cause.message})`;
      reject(new LoadError("PLAN_INVALID", message, { cause, hint: "choose another host or port" }));
    });
    server.listen({ host, port, backlog: ACCEPT_BACKLOG }, resolve);
  });
}

const LISTEN_AGAIN_MS = 50;

/** After a refusal; whoever took the port meanwhile is waited for. */
function listenAgain(server: Server, config: SimulatorConfig, isWanted: () => boolean): void {
  if (server.listening || !isWanted()) return;
  listen(server, config).catch(() => {
    setTimeout(() => listenAgain(server, config, isWanted), LISTEN_AGAIN_MS).unref();
  });
}

const unfinished = new Set<() => void>();

/**
 * The truth log must not be lost when nobody calls `close`: it is written at exit, and on a signal that
 * no one else listens to. Returns what takes the registration back.
 */
function finishWithProcess(finish: () => void): () => void {
  if (unfinished.size === 0) listenToProcess("on");
  unfinished.add(finish);
  return () => {
    unfinished.delete(finish);
    if (unfinished.size === 0) listenToProcess("off");
  };
}

function listenToProcess(change: "on" | "off"): void {
  process[change]("exit", finishAll);
  process[change]("SIGTERM", finishOnSignal);
  process[change]("SIGINT", finishOnSignal);
}

function finishAll(): void {
  for (const finish of unfinished) finish();
}

function finishOnSignal(signal: NodeJS.Signals): void {
  // Whoever listens too will end the process in an orderly way, by `close` or by an exit.
  if (process.listenerCount(signal) > 1) return;
  finishAll();
  unfinished.clear();
  listenToProcess("off");
  process.kill(process.pid, signal);
}
