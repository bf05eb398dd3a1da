import { resolve } from "node:path";
import { LoadError } from "@tokenstorm/core";
import {
  findNatsServer,
  inboxOf,
  type NatsTls,
  type NatsUser,
  rolePermissions,
  startNatsServer,
} from "@tokenstorm/protocol/nats";
import type { NatsAccess } from "../nats-options.js";
import { CLUSTER_ROLES, type ClusterPasswords, clusterPasswords } from "./cluster-passwords.js";
import { lockData } from "./data-lock.js";
import type { Joining } from "./join-lines.js";
import type { ListenPlace } from "./listen-place.js";
import { isWildcard, urlHost } from "./local-addresses.js";

export interface ListeningOptions {
  readonly place: ListenPlace;
  /** Holds passwords and JetStream's files. */
  readonly dataDir: string;
  readonly tls: NatsTls | undefined;
  readonly prefix: string | undefined;
  readonly version: string;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** A nats-server of our own, for other hosts to join. */
export interface ListeningServer {
  /** How the coordinator itself reaches it. */
  readonly access: NatsAccess;
  readonly joining: Joining;
  /** Resolves when the server has ended, with what it said last. */
  readonly ended: Promise<string>;
  /** May be called twice. */
  close(): Promise<void>;
}

/**
 * Starts nats-server with JetStream and one user for each role, each with a generated password. Throws BUS_UNAVAILABLE:
 * no nats-server, the address cannot be listened on, another coordinator uses the folder.
 */
export async function startListening(options: ListeningOptions): Promise<ListeningServer> {
  const { place, dataDir, tls, prefix, version } = options;
  const found = await findNatsServer(options.env);
  if (found === undefined)
    throw new LoadError("BUS_UNAVAILABLE", "no nats-server is here to be started", {
      hint: "install one (apt-get install nats-server), name it with NATS_SERVER_BIN, or use one that runs: --nats URL",
    });
  const passwords = await clusterPasswords(dataDir);
  const lock = await lockData(dataDir);
  try {
    const server = await startNatsServer({
      bin: found.bin,
      dataDir: resolve(dataDir),
      host: place.host,
      port: place.port,
      users: usersOf(passwords, prefix),
      extraConfig: tls === undefined ? undefined : tlsConfig(tls),
    });
    return {
      access: { ...ownAccess(place, server.port, { passwords, tls }), prefix },
      joining: {
        host: place.advertised,
        port: server.port,
        passwords,
        caFile: tls?.caFile ?? null,
        prefix,
        version,
      },
      ended: server.ended,
      close: async () => {
        await server.close();
        await lock.release();
      },
    };
  } catch (error) {
    await lock.release();
    throw withPlace(error, place);
  }
}

function usersOf(passwords: ClusterPasswords, prefix: string | undefined): NatsUser[] {
  return CLUSTER_ROLES.map((role) => ({
    user: role,
    password: passwords[role],
    ...rolePermissions(role, { prefix, inbox: inboxOf(role) }),
  }));
}

/** By the address it listens on, so that a name which is only known outside is not needed here. */
function ownAccess(
  place: ListenPlace,
  port: number,
  { passwords, tls }: { readonly passwords: ClusterPasswords; readonly tls: NatsTls | undefined },
): NatsAccess {
  // A certificate is for the name that others use.
  const host = tls !== undefined ? place.advertised : isWildcard(place.host) ? "127.0.0.1" : place.host;
  return {
    servers: [`${tls === undefined ? "nats" : "tls"}://${urlHost(host)}:${port}`],
    user: "coordinator",
    password: passwords.coordinator,
    ...(tls === undefined ? {} : { tls: { caFile: tls.caFile } }),
  };
}

/** In the server's own configuration language; clients that speak plain text are refused. */
function tlsConfig({ certFile, keyFile }: NatsTls): string {
  const tls = { cert_file: resolve(certFile ?? ""), key_file: resolve(keyFile ?? ""), timeout: 5 };
  return `tls: ${JSON.stringify(tls)}`;
}

function withPlace(error: unknown, place: ListenPlace): unknown {
  if (!(error instanceof LoadError) || !/address already in use/i.test(error.message)) return error;
  return new LoadError(
    "BUS_UNAVAILABLE",
    `${urlHost(place.host)}:${place.port} is taken: something listens there`,
    {
      hint: "name another port: --listen ADDRESS:PORT; or join the NATS that is there: --nats URL",
      cause: error,
    },
  );
}
