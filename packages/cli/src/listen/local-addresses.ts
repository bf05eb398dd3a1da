import { isIP } from "node:net";
import { networkInterfaces } from "node:os";

/** An address of this host, as other hosts could reach it. */
export interface LocalAddress {
  readonly address: string;
  readonly family: "IPv4" | "IPv6";
  /** Such as eth0. */
  readonly device: string;
  readonly isLoopback: boolean;
}

/** Every address of this host but link-local ones, which need a zone that other hosts name otherwise. */
export function localAddresses(interfaces = networkInterfaces()): LocalAddress[] {
  return Object.entries(interfaces).flatMap(([device, addresses]) =>
    (addresses ?? [])
      .filter(({ address }) => !/^fe80:/i.test(address))
      .map(({ address, family, internal }) => ({ address, family, device, isLoopback: internal })),
  );
}

/** 0.0.0.0 and :: listen on every address, and can be dialled on none. */
export function isWildcard(host: string): boolean {
  return ["0.0.0.0", "::", "0:0:0:0:0:0:0:0"].includes(bareHost(host));
}

/** Without the brackets of an IPv6 address in a URL. */
export function bareHost(host: string): string {
  return host.replace(/^\[(.*)\]$/, "$1");
}

/** As it stands in a URL or before a port. */
export function urlHost(host: string): string {
  return isIP(host) === 6 ? `[${host}]` : host;
}
