import { readFileSync } from "node:fs";
import type { Socket } from "node:net";

const RANGE_FILE = "/proc/sys/net/ipv4/ip_local_port_range";

/** Local ports that this host gives out for connections, IPv6 too; 0 where it does not say. */
export function localPortRange(file = RANGE_FILE): number {
  try {
    const found = /^(\d+)\s+(\d+)/.exec(readFileSync(file, "utf8"));
    return found === null ? 0 : Math.max(0, Number(found[2]) - Number(found[1]) + 1);
  } catch {
    return 0;
  }
}

/** Connections to the address and port to which most of these sockets lead: each needs a local port of its own. */
export function mostToOnePlace(sockets: Iterable<Socket>): number {
  const places = new Map<string, number>();
  let most = 0;
  for (const { remoteAddress, remotePort } of sockets) {
    if (remoteAddress === undefined) continue;
    const place = `${remoteAddress} ${remotePort}`;
    const count = (places.get(place) ?? 0) + 1;
    places.set(place, count);
    most = Math.max(most, count);
  }
  return most;
}
