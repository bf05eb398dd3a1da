import { readFile } from "node:fs/promises";
import { isIP } from "node:net";
import { type ConnectionOptions, checkServerIdentity } from "node:tls";
import { credsAuthenticator, type NodeConnectionOptions, nkeyAuthenticator } from "@nats-io/transport-node";
import { LoadError } from "@tokenstorm/core";
import { inboxOf, type NatsRole } from "./roles.js";

export interface NatsTls {
  readonly caFile?: string | undefined;
  readonly certFile?: string | undefined;
  readonly keyFile?: string | undefined;
}

export interface NatsOptions {
  /** `nats://host:port`, `tls://host:port` or `host:port`; user and password may stand before an @. */
  readonly servers: readonly string[];
  /** Shown by the server for this connection. */
  readonly name: string;
  readonly role: NatsRole;
  readonly user?: string | undefined;
  readonly password?: string | undefined;
  readonly token?: string | undefined;
  readonly credsFile?: string | undefined;
  readonly nkeyFile?: string | undefined;
  readonly tls?: NatsTls | undefined;
  /** Begins the subjects on which this connection gets its answers; the role's own where it is not given. */
  readonly inboxPrefix?: string | undefined;
  /** First token of every subject; names the stream and the buckets too. */
  readonly prefix?: string | undefined;
  /** Limit of the first connection, of preparing, and of each question to the server. */
  readonly timeoutMs?: number | undefined;
  /** Waits for a server (and, but for the coordinator, for a coordinator) that is not there yet, up to an hour. */
  readonly waitOnFirstConnect?: boolean | undefined;
  /** Ends that wait. */
  readonly signal?: AbortSignal | undefined;
  /** Called when that wait begins, once for each reason. */
  readonly onWaiting?: ((why: LoadError) => void) | undefined;
  /** Room for the results of all runs that are not purged yet. Holds when the stream is made. */
  readonly resultsMaxBytes?: number | undefined;
  /**
   * Copies of the stream and the buckets, on so many servers of a cluster; what is there already is changed to it. Where
   * it is not given: three when the server belongs to a cluster that has room for three, else one, and nothing is changed.
   */
  readonly replicas?: Replicas | undefined;
  /** What a coordinator's operator should know of this NATS. */
  readonly onWarning?: ((text: string) => void) | undefined;
}

/** What NATS can agree on. */
export const REPLICAS = [1, 3, 5] as const;
export type Replicas = (typeof REPLICAS)[number];

export const NATS_DEFAULTS = {
  server: "nats://127.0.0.1:4222",
  prefix: "ts",
  timeoutMs: 5000,
  resultsMaxBytes: 1024 * 1024 * 1024,
  /**
   * Of one connection, from its dial to the server's first answer. The library notices one that dies in between by this
   * limit alone, so it must be well below the 5 s after which a silent agent is lost. It is three round trips, five with TLS:
   * whoever is further away than 0.4 s cannot be led.
   */
  handshakeMs: 2000,
  /** The library's 10 attempts would end an agent for good after 20 s. */
  maxReconnectAttempts: -1,
  reconnectTimeWaitMs: 500,
  reconnectJitterMs: 250,
  /** Finds a half-open link in 15 s; the library's default takes 6 minutes. */
  pingIntervalMs: 5000,
  maxPingOut: 2,
} as const;

/** What the NATS command line reads from the environment; unset and empty are the same. */
export function natsOptionsFromEnv(
  env: Readonly<Record<string, string | undefined>>,
): Pick<
  NatsOptions,
  "servers" | "user" | "password" | "token" | "credsFile" | "nkeyFile" | "inboxPrefix" | "tls"
> {
  const read = (name: string) => (env[name] === "" ? undefined : env[name]);
  const tls = { caFile: read("NATS_CA"), certFile: read("NATS_CERT"), keyFile: read("NATS_KEY") };
  const usesTls = Object.values(tls).some((file) => file !== undefined);
  return {
    servers:
      read("NATS_URL")
        ?.split(",")
        .map((url) => url.trim())
        .filter((url) => url !== "") ?? [],
    user: read("NATS_USER"),
    password: read("NATS_PASSWORD"),
    token: read("NATS_TOKEN"),
    credsFile: read("NATS_CREDS"),
    nkeyFile: read("NATS_NKEY"),
    inboxPrefix: read("NATS_INBOX_PREFIX"),
    ...(usesTls ? { tls } : {}),
  };
}

/** A server's address taken apart; `shown` is how it may be printed, without a password. */
export interface ServerAddress {
  readonly host: string;
  readonly port: number;
  readonly isTls: boolean;
  readonly user: string | undefined;
  readonly password: string | undefined;
  readonly shown: string;
}

/** Throws BUS_UNAVAILABLE for what is no address. */
export function parseServer(text: string): ServerAddress {
  const refuse = () =>
    new LoadError("BUS_UNAVAILABLE", `"${withoutSecret(text)}" is no address of a NATS server`, {
      hint: "write nats://host:port; a user and password before it with % for what is no letter or digit",
    });
  const [, scheme = "nats", rest] = /^(?:([a-z]+):\/\/)?(.+)$/i.exec(text.trim()) ?? [];
  if (rest === undefined || !["nats", "tls"].includes(scheme.toLowerCase())) throw refuse();
  let url: URL;
  let [user, password] = ["", ""];
  try {
    url = new URL(`nats://${rest}`);
    // A lone % is no encoding.
    [user, password] = [decodeURIComponent(url.username), decodeURIComponent(url.password)];
  } catch {
    throw refuse();
  }
  if (url.hostname === "" || (url.pathname !== "" && url.pathname !== "/")) throw refuse();
  const port = url.port === "" ? 4222 : Number(url.port);
  return {
    host: url.hostname.replace(/^\[|\]$/g, ""),
    port,
    isTls: scheme.toLowerCase() === "tls",
    user: user === "" ? undefined : user,
    password: password === "" ? undefined : password,
    shown: `${scheme.toLowerCase()}://${url.hostname}:${port}`,
  };
}

/** What cannot be taken apart may hold a password anywhere: only what surely is host, port and path is shown. */
function withoutSecret(text: string): string {
  const [, scheme = "", before = "", rest = ""] = /^([a-z]+:\/\/)?(.*@)?(.*)$/is.exec(text.trim()) ?? [];
  const isPlain = /^([^:@\s]*|\[[0-9a-f:.]*\])(:\d*)?(\/[^:@\s]*)?$/i.test(rest);
  return `${scheme}${before === "" ? "" : "...@"}${isPlain ? rest : "..."}`;
}

/** As the library wants it: host and port. */
export function authority({ host, port }: ServerAddress): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/** The library's options for ours. Reads the files that they name; throws BUS_DENIED where it cannot. */
export async function connectionOptions(
  options: NatsOptions,
  servers: readonly ServerAddress[],
): Promise<NodeConnectionOptions> {
  const inUrl = servers.find((server) => server.user !== undefined);
  const user = options.user ?? inUrl?.user;
  const password = options.password ?? inUrl?.password;
  // A lone name before the @ is a token, as the other clients read it.
  const token =
    options.token ?? (options.user === undefined && password === undefined ? inUrl?.user : undefined);
  return {
    servers: servers.map(authority),
    name: options.name,
    timeout: Math.min(options.timeoutMs ?? NATS_DEFAULTS.timeoutMs, NATS_DEFAULTS.handshakeMs),
    maxReconnectAttempts: NATS_DEFAULTS.maxReconnectAttempts,
    reconnectTimeWait: NATS_DEFAULTS.reconnectTimeWaitMs,
    reconnectJitter: NATS_DEFAULTS.reconnectJitterMs,
    reconnectJitterTLS: NATS_DEFAULTS.reconnectJitterMs,
    pingInterval: NATS_DEFAULTS.pingIntervalMs,
    maxPingOut: NATS_DEFAULTS.maxPingOut,
    // A stack for every question costs half of the throughput.
    noAsyncTraces: true,
    inboxPrefix: options.inboxPrefix ?? inboxOf(options.role),
    ...(token === undefined ? {} : { token }),
    ...(token === undefined && user !== undefined ? { user, pass: password ?? "" } : {}),
    ...(await credentials(options)),
    ...tlsOptions(options.tls, servers),
  };
}

async function credentials(options: NatsOptions): Promise<Pick<NodeConnectionOptions, "authenticator">> {
  if (options.credsFile !== undefined)
    return { authenticator: credsAuthenticator(await secretFile(options.credsFile)) };
  if (options.nkeyFile !== undefined) {
    const seed = (await secretFile(options.nkeyFile)).toString("utf8").trim();
    return { authenticator: nkeyAuthenticator(Buffer.from(seed, "utf8")) };
  }
  return {};
}

async function secretFile(file: string): Promise<Buffer> {
  try {
    return await readFile(file);
  } catch (cause) {
    throw new LoadError("BUS_DENIED", `the credentials for NATS in ${file} cannot be read`, { cause });
  }
}

function tlsOptions(
  tls: NatsTls | undefined,
  servers: readonly ServerAddress[],
): Pick<NodeConnectionOptions, "tls"> {
  if (tls === undefined && !servers.some((server) => server.isTls)) return {};
  const { caFile, certFile, keyFile } = tls ?? {};
  return {
    tls: {
      ...(caFile === undefined ? {} : { caFile }),
      ...(certFile === undefined ? {} : { certFile }),
      ...(keyFile === undefined ? {} : { keyFile }),
      ...identityCheck(servers.map((server) => server.host)),
    },
  };
}

/**
 * The library checks the certificate of a server that is named by its address against the name "localhost"; it is
 * checked against the addresses that were given instead. Host names are checked as ever.
 */
function identityCheck(hosts: readonly string[]): Pick<ConnectionOptions, "checkServerIdentity"> {
  const addresses = hosts.filter((host) => isIP(host) !== 0);
  if (addresses.length === 0) return {};
  return {
    checkServerIdentity: (name, certificate) => {
      const isFallback = name === "localhost" && !hosts.includes("localhost");
      const problems = [...(isFallback ? [] : [name]), ...addresses].map((one) =>
        checkServerIdentity(one, certificate),
      );
      return problems.includes(undefined) ? undefined : problems[0];
    },
  };
}
