import { uniformAt } from "./random.js";

/** What a server can do wrong, by name; each request has at most one fault. */
export const FAULT_KINDS = [
  /** 500 before the stream. */
  "http-500",
  /** 429 before the stream, as a router would answer; the argument is its Retry-After in seconds. */
  "http-429",
  /** What gateways answer for a server that is away, overloaded or slow. */
  "http-502",
  "http-503",
  "http-504",
  /** 200 with an error body that is no event stream: routers of early 2026 did that. */
  "not-sse",
  /** RST before any byte of an answer. */
  "drop",
  /** An error event and `[DONE]`; no finish, no usage. */
  "error-event",
  /** RST in mid-stream. */
  "reset",
  /** FIN in mid-stream, without the last HTTP chunk. */
  "close",
  /** `[DONE]` and a clean end, without a finish_reason. */
  "no-finish",
  /** Silence until the client goes away. */
  "stall",
  /** One event that is not JSON; the stream goes on after it. */
  "garbage",
  /** Headers held back; the argument is milliseconds. */
  "slow-headers",
] as const;

export type FaultKind = (typeof FAULT_KINDS)[number];

export interface Fault {
  readonly kind: FaultKind;
  /** Tokens written before it strikes; of slow-headers the delay in milliseconds, of http-429 Retry-After in seconds. */
  readonly argument: number;
}

/** Where a request's fault came from. */
export type FaultSource = "header" | "schedule" | "rate";

export type FaultRates = Readonly<Partial<Record<FaultKind, number>>>;

const DEFAULT_ARGUMENT = 1;
const DEFAULT_HEADER_DELAY_MS = 1000;
const MAX_ARGUMENT = 1_000_000;

/** What the argument of a kind is called where it is written by name. */
export function argumentName(kind: FaultKind): "after" | "ms" | "retry-after" {
  if (kind === "slow-headers") return "ms";
  return kind === "http-429" ? "retry-after" : "after";
}

/** Reads `kind`, `kind:argument`, or `kind;after=5` (`;ms=`, `;retry-after=`); undefined when it is none of them. */
export function parseFault(text: string): Fault | undefined {
  const [name = "", argument, ...rest] = text.trim().split(/[:;]/);
  const kind = FAULT_KINDS.find((known) => known === name.trim());
  if (kind === undefined || rest.length > 0) return undefined;
  if (argument === undefined) return { kind, argument: defaultArgument(kind) };
  const named = text.includes(";") ? `${argumentName(kind)}=` : "";
  const digits = argument.replaceAll(" ", "");
  if (!digits.startsWith(named)) return undefined;
  const value = digits.slice(named.length);
  if (!/^\d{1,7}$/.test(value) || Number(value) > MAX_ARGUMENT) return undefined;
  return { kind, argument: Number(value) };
}

/** Whether request number `ordinal` has a fault: one seeded draw against the rates laid end to end. */
export function drawFault(rates: FaultRates, seed: number, ordinal: number): Fault | undefined {
  let left = uniformAt(seed ^ 0x5f356495, ordinal);
  for (const kind of FAULT_KINDS) {
    left -= rates[kind] ?? 0;
    if (left < 0) return { kind, argument: defaultArgument(kind) };
  }
  return undefined;
}

function defaultArgument(kind: FaultKind): number {
  return kind === "slow-headers" ? DEFAULT_HEADER_DELAY_MS : DEFAULT_ARGUMENT;
}
