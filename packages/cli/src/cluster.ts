import type { Subjects, Transport } from "@tokenstorm/protocol";
import { subjects } from "@tokenstorm/protocol";
import { connectNats, type NatsRole } from "@tokenstorm/protocol/nats";
import type { NatsAccess } from "./nats-options.js";

/** A connection and the names on it. Whoever opened it closes it. */
export interface Cluster {
  readonly transport: Transport;
  readonly subjects: Subjects;
}

/** Connects for a command. Throws BUS_UNAVAILABLE, BUS_DENIED. */
export async function connectCluster(access: NatsAccess, role: NatsRole): Promise<Cluster> {
  const names = subjects(access.prefix);
  const transport = await connectNats({ ...access, role, name: `tokenstorm ${role}` });
  return { transport, subjects: names };
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
