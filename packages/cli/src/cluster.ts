import { randomBytes } from "node:crypto";
import type { Operations, Subjects, Transport } from "@tokenstorm/protocol";
import { createOperations, subjects, systemClock } from "@tokenstorm/protocol";
import { connectNats, type NatsRole } from "@tokenstorm/protocol/nats";
import type { NatsAccess } from "./nats-options.js";

/** A connection and the names on it. Whoever opened it closes it. */
export interface Cluster {
  readonly transport: Transport;
  readonly subjects: Subjects;
  /** What there is to be done with it. */
  readonly operations: Operations;
}

export function clusterOf(transport: Transport, names: Subjects): Cluster {
  const operations = createOperations({ transport, subjects: names }, { clock: systemClock(), newId });
  return { transport, subjects: names, operations };
}

/** Connects for a command. Throws BUS_UNAVAILABLE, BUS_DENIED. */
export async function connectCluster(access: NatsAccess, role: NatsRole): Promise<Cluster> {
  const names = subjects(access.prefix);
  const transport = await connectNats({ ...access, role, name: `tokenstorm ${role}` });
  return clusterOf(transport, names);
}

/** Connects, works, and closes whatever comes of it. */
export async function withCluster<T>(
  access: NatsAccess,
  role: NatsRole,
  work: (cluster: Cluster) => Promise<T>,
): Promise<T> {
  const cluster = await connectCluster(access, role);
  try {
    return await work(cluster);
  } finally {
    await cluster.transport.close();
  }
}

const LETTERS = "abcdefghijkmnpqrstuvwxyz23456789";

/** Letters and digits that are hard to mistake for one another. */
export function newId(length: number): string {
  return [...randomBytes(length)].map((byte) => LETTERS[byte % LETTERS.length] ?? "").join("");
}
