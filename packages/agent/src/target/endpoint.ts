import { lookup } from "node:dns/promises";
import { readFileSync } from "node:fs";
import { isIP } from "node:net";
import {
  isAddressAllowed,
  LoadError,
  type TargetPlace,
  type TargetRule,
  type TestPlan,
} from "@tokenstorm/core";

export interface TlsSettings {
  /** Name asked for and checked; undefined where the host is an address and the plan names none. */
  readonly serverName: string | undefined;
  readonly ca: string | undefined;
  readonly rejectUnauthorized: boolean;
}

/** One base URL of the plan, taken apart. */
export interface Endpoint {
  /** As the plan has it; for messages. */
  readonly url: string;
  readonly origin: string;
  readonly host: string;
  readonly port: number;
  /** Before `/v1`; empty or `/something`. */
  readonly basePath: string;
  /** Null for http. */
  readonly tls: TlsSettings | null;
  /** Where may be connected to; none allows everything. */
  readonly rules: readonly TargetRule[];
  /** Addresses of the host, the one that connected last at first; empty until they are looked up. */
  addresses: readonly string[];
}

/** A name that resolves to nothing but addresses that no rule allows. */
export class AddressesRefused extends Error {
  readonly addresses: readonly string[];

  constructor(endpoint: Endpoint, addresses: readonly string[]) {
    super(`${endpoint.host} is ${addresses.join(", ")}, where this agent may not send`);
    this.name = "AddressesRefused";
    this.addresses = addresses;
  }
}

/** Path of a generation on the endpoint. */
export function apiPath(endpoint: Endpoint, api: TestPlan["target"]["api"]): string {
  return `${endpoint.basePath}/v1/${api === "openai-chat" ? "chat/completions" : "completions"}`;
}

/** Throws LoadError AGENT_NOT_READY where the CA file cannot be read. */
export function createEndpoints(
  target: TestPlan["target"],
  rules: readonly TargetRule[] = [],
): readonly Endpoint[] {
  const ca = target.tls?.caFile === undefined ? undefined : readAuthorities(target.tls.caFile);
  return target.urls.map((text) => {
    const url = new URL(text);
    const isTls = url.protocol === "https:";
    const host = url.hostname.replace(/^\[|\]$/g, "");
    const isAddress = isIP(host) !== 0;
    return {
      url: text,
      origin: url.origin,
      host,
      port: url.port === "" ? (isTls ? 443 : 80) : Number(url.port),
      basePath: url.pathname.replace(/\/+$/, ""),
      tls: isTls
        ? {
            serverName: target.tls?.serverName ?? (isAddress ? undefined : host),
            ca,
            rejectUnauthorized: target.tls?.insecureSkipVerify !== true,
          }
        : null,
      rules,
      addresses: isAddress ? [host] : [],
    };
  });
}

/**
 * Looks the host up, once: later connections go to the address itself, so that no name server can delay a request, or
 * lead it elsewhere. Keeps the addresses that may be connected to. Rejects with the resolver's error, or AddressesRefused.
 */
export async function resolveAddresses(endpoint: Endpoint): Promise<void> {
  if (endpoint.addresses.length > 0) return;
  const found = await lookup(endpoint.host, { all: true });
  const addresses = found.map(({ address }) => address);
  const allowed = addresses.filter((address) => mayConnect(endpoint, address));
  if (allowed.length === 0 && addresses.length > 0) throw new AddressesRefused(endpoint, addresses);
  endpoint.addresses = allowed;
}

export function mayConnect(endpoint: Endpoint, address: string): boolean {
  return isAddressAllowed(endpoint.rules, placeOf(endpoint), address);
}

export function placeOf({ host, port, tls }: Endpoint): TargetPlace {
  return { scheme: tls === null ? "http" : "https", host, port };
}

function readAuthorities(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (cause) {
    throw new LoadError("AGENT_NOT_READY", `cannot read the CA file ${file} (target.tls.caFile)`, {
      hint: "the file must be there on every agent",
      cause,
    });
  }
}
