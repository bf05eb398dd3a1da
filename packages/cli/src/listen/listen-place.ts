import { isIP } from "node:net";
import { isLoopbackHost } from "@tokenstorm/core";
import { bareHost, isWildcard, type LocalAddress } from "./local-addresses.js";

/** NATS's own port. */
export const DEFAULT_PORT = 4222;

/** Where the server listens, and under which name others reach it. */
export interface ListenPlace {
  readonly host: string;
  /** 0: chosen by the system. */
  readonly port: number;
  readonly advertised: string;
}

/** What a person asked for with `--listen`, `--advertise`. */
export interface ListenWish {
  /** Undefined or `auto`: one of this host's addresses. */
  readonly host: string | undefined;
  readonly port: number;
  readonly advertise: string | undefined;
}

/** A place; or several that only a person can choose between; or why there is none. */
export type PlaceFound =
  | { readonly kind: "place"; readonly place: ListenPlace }
  | { readonly kind: "several"; readonly addresses: readonly LocalAddress[] }
  | { readonly kind: "none"; readonly problem: string; readonly hint: string };

/** `10.0.0.5`, `10.0.0.5:4300`, `[2001:db8::1]:4222`, `auto`, `auto:4300`; undefined for what is none of them. */
export function parseListen(text: string): Pick<ListenWish, "host" | "port"> | undefined {
  if (isIP(text) === 6) return { host: text, port: DEFAULT_PORT };
  const [, host = "", port] = /^(\[[0-9a-fA-F:.]+\]|[^:[\]\s/@]+)(?::(\d{1,5}))?$/.exec(text) ?? [];
  const number = port === undefined ? DEFAULT_PORT : Number(port);
  if (host === "" || number > 65_535 || (host.startsWith("[") && isIP(bareHost(host)) !== 6))
    return undefined;
  return { host: host === "auto" ? undefined : bareHost(host), port: number };
}

/** Decides where to listen; a host with one address needs no choice, one with several is not guessed at. */
export function findPlace(wish: ListenWish, addresses: readonly LocalAddress[]): PlaceFound {
  const { host, port, advertise } = wish;
  const reachable = addresses.filter((one) => !one.isLoopback);
  if (host === undefined || isWildcard(host)) {
    const [only, ...others] = reachable;
    const chosen = advertise ?? (others.length === 0 ? only?.address : undefined);
    if (only === undefined && advertise === undefined)
      return {
        kind: "none",
        problem: "this host has no address but loopback",
        hint: "give it one, or stay on it: --listen 127.0.0.1",
      };
    if (chosen === undefined) return { kind: "several", addresses: reachable };
    // A name that was only advertised, such as that of a NAT in front, cannot be listened on.
    return { kind: "place", place: { host: host ?? ownHost(chosen, addresses), port, advertised: chosen } };
  }
  if (isIP(host) !== 0 && !isLoopbackHost(host) && !addresses.some((one) => one.address === host))
    return {
      kind: "none",
      problem: `${host} is no address of this host`,
      hint: `it has ${addresses.map((one) => one.address).join(", ")}`,
    };
  return { kind: "place", place: { host, port, advertised: advertise ?? host } };
}

function ownHost(chosen: string, addresses: readonly LocalAddress[]): string {
  return addresses.some((one) => one.address === chosen) ? chosen : "0.0.0.0";
}
