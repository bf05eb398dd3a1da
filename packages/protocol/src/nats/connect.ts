import { setTimeout as wait } from "node:timers/promises";
import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import { connect, type NatsConnection, errors as natsErrors } from "@nats-io/transport-node";
import { LoadError } from "@tokenstorm/core";
import { storeOfDataSets } from "../data-set-store.js";
import { subjects } from "../subjects.js";
import type { Transport } from "../transport.js";
import { createNatsBlobs } from "./blobs.js";
import { createNatsBus } from "./bus.js";
import { messageOf, within } from "./errors.js";
import { findServer, isAtLeast, type ServerGreeting } from "./first-dial.js";
import { createNatsLog } from "./log.js";
import { authority, connectionOptions, NATS_DEFAULTS, type NatsOptions, parseServer } from "./options.js";
import { createNatsState } from "./state.js";
import { awaitStores, type JetStreamLink, prepareStores, storeNames } from "./stores.js";

/** How long `waitOnFirstConnect` waits. */
const FIRST_CONNECT_LIMIT_MS = 3_600_000;
const DIAL_AGAIN_MS = 500;
/** What `close` waits for messages that are still to be sent. */
const DRAIN_LIMIT_MS = 2000;

/**
 * All four channels over one connection, which from then on reconnects by itself for ever. Throws within about
 * `timeoutMs` for each step: BUS_UNAVAILABLE (no server, too old, no JetStream, nobody prepared it), BUS_DENIED.
 */
export async function connectNats(options: NatsOptions): Promise<Transport> {
  const connection = await connectFirst(options);
  try {
    return await openTransport(connection, options);
  } catch (error) {
    await connection.close();
    throw error;
  }
}

async function openTransport(connection: NatsConnection, options: NatsOptions): Promise<Transport> {
  const timeoutMs = options.timeoutMs ?? NATS_DEFAULTS.timeoutMs;
  const names = subjects(options.prefix ?? NATS_DEFAULTS.prefix);
  const jsOptions = { timeout: timeoutMs, checkAPI: false };
  const link: JetStreamLink = {
    connection,
    js: jetstream(connection, jsOptions),
    manager: await jetstreamManager(connection, jsOptions),
    names: storeNames(names.prefix),
    subjects: names,
    timeoutMs,
  };
  const onWarning = options.onWarning ?? (() => undefined);
  const prepare = (peersMs: number) =>
    prepareStores(link, {
      resultsMaxBytes: options.resultsMaxBytes ?? NATS_DEFAULTS.resultsMaxBytes,
      replicas: options.replicas,
      peersMs,
      onWarning,
    });
  if (options.role === "coordinator") {
    warnOfOldCluster(connection, onWarning);
    await prepare(PEERS_FOUND_MS);
  } else
    await awaitStores(link, {
      limitMs: options.waitOnFirstConnect === true ? FIRST_CONNECT_LIMIT_MS : timeoutMs,
      mayBeDenied: options.role === "viewer",
      signal: options.signal,
      onWaiting: options.waitOnFirstConnect === true ? options.onWaiting : undefined,
    });
  // In the midst of a run there is no time for more: a leader must find its lease again.
  const repair = options.role === "coordinator" ? () => prepare(0) : undefined;
  const log = createNatsLog(link, repair);
  let closing: Promise<void> | undefined;
  return {
    kind: "nats",
    bus: createNatsBus(connection),
    log,
    state: await createNatsState(link, repair),
    blobs: await createNatsBlobs(link, link.names.blobs),
    dataSets: storeOfDataSets(await createNatsBlobs(link, link.names.dataSets)),
    server: {
      version: connection.info?.version ?? "",
      url: `nats://${connection.getServer()}`,
      isOpen: connection.info?.auth_required !== true && connection.info?.tls_verify !== true,
    },
    close: () => {
      closing ??= close(connection, log);
      return closing;
    },
  };
}

/** Servers of a cluster that are started together know each other within a second or two. */
const PEERS_FOUND_MS = 5_000;
/** Releases before this one could lose what a cluster had acknowledged. */
const SOUND_CLUSTER = [2, 10, 23] as const;

function warnOfOldCluster({ info }: NatsConnection, onWarning: (text: string) => void): void {
  if (info?.cluster === undefined || isAtLeast(info.version, SOUND_CLUSTER)) return;
  const sound = SOUND_CLUSTER.join(".");
  onWarning(
    `this is a cluster of nats-server ${info.version}; take ${sound} or newer, which mends how copies are kept`,
  );
}

async function close(connection: NatsConnection, log: { close(): void }): Promise<void> {
  log.close();
  if (!connection.isClosed()) {
    // Draining needs a live connection; on a broken one it would wait for the next.
    await within(connection.drain(), DRAIN_LIMIT_MS, "closing").catch(() => undefined);
  }
  await connection.close();
}

async function connectFirst(options: NatsOptions): Promise<NatsConnection> {
  const timeoutMs = options.timeoutMs ?? NATS_DEFAULTS.timeoutMs;
  const servers = (options.servers.length > 0 ? options.servers : [NATS_DEFAULTS.server]).map(parseServer);
  const connectionOpts = await connectionOptions(options, servers);
  const deadline = performance.now() + FIRST_CONNECT_LIMIT_MS;
  for (let dials = 0; ; dials += 1) {
    try {
      const greeting = await findServer(servers, timeoutMs);
      const rest = servers.filter((server) => server !== greeting.address);
      const order = [greeting.address, ...rest].map(authority);
      return await connectTo(greeting, { ...connectionOpts, servers: order, noRandomize: true }, timeoutMs);
    } catch (error) {
      const mayWait = options.waitOnFirstConnect === true && performance.now() < deadline;
      if (!mayWait || options.signal?.aborted) throw error;
      if (!(error instanceof LoadError) || error.code !== "BUS_UNAVAILABLE") throw error;
      if (dials === 0) options.onWaiting?.(error);
      await pause(DIAL_AGAIN_MS, options.signal);
      if (options.signal?.aborted) throw error;
    }
  }
}

async function connectTo(
  greeting: ServerGreeting,
  options: Parameters<typeof connect>[0],
  timeoutMs: number,
): Promise<NatsConnection> {
  const { length } = [options?.servers ?? []].flat();
  // The library tells of the server that it tried last.
  const shown = `${greeting.address.shown}${length > 1 ? `, or another of the ${length} servers` : ""}`;
  const untilMs = performance.now() + timeoutMs;
  for (let tries = 1; ; tries += 1) {
    const connecting = connect(options);
    try {
      // The library has a limit too, of one handshake, and for each address of a name anew.
      return await within(connecting, Math.ceil(untilMs - performance.now()), "connecting");
    } catch (error) {
      // It may still succeed after the limit; then nobody wants it.
      void connecting.then(
        (late) => late.close(),
        () => undefined,
      );
      const mayPass = isOfOneHandshake(error) && (tries < FIRST_TRIES || isLate(error));
      if (!mayPass || performance.now() >= untilMs) throw firstConnectError(error, shown);
    }
    await pause(Math.min(FIRST_PAUSE_MS, untilMs - performance.now()), undefined);
  }
}

/** A handshake that breaks off may be a bad moment; a server that ends each of them has something against them. */
const FIRST_TRIES = 3;
const FIRST_PAUSE_MS = 100;

/** The server had greeted just before: it, or another one of its cluster, may take the next one. */
function isOfOneHandshake(error: unknown): boolean {
  if (isLate(error) || error instanceof natsErrors.ConnectionError) return true;
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return code === "ECONNRESET" || code === "EPIPE";
}

const isLate = (error: unknown): boolean => error instanceof natsErrors.TimeoutError;

function firstConnectError(error: unknown, shown: string): LoadError {
  const isRefused =
    error instanceof natsErrors.AuthorizationError ||
    error instanceof natsErrors.UserAuthenticationExpiredError;
  if (isRefused)
    return new LoadError("BUS_DENIED", `NATS at ${shown} refuses this user: authorization violation`, {
      hint: "check --nats-user and --nats-password, --nats-creds or --nats-nkey (NATS_USER, NATS_PASSWORD, ...)",
      cause: error,
    });
  const why =
    error instanceof LoadError || isLate(error) ? "it does not go on after its greeting" : messageOf(error);
  return new LoadError("BUS_UNAVAILABLE", `cannot connect to NATS at ${shown}: ${why}`, {
    hint: "if the server wants TLS: its authority is NATS_CA, a certificate of your own NATS_CERT and NATS_KEY",
    cause: error,
  });
}

async function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  await wait(ms, undefined, signal === undefined ? {} : { signal }).catch(() => undefined);
}
