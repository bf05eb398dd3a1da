import { uniformAt } from "./random.js";

/** What a server can do wrong, by name; each request has at most one fault. */
export const FAULT_KINDS = [
  /** 500 before the stream. */
  "http-500",
  /** 429 before the stream, as a router would answer. */
  "http-429",
  /** 200 with an error body that is no event stream: routers of early 2026 did that. */
  "not-sse",
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
  /** Tokens written before it strikes; for slow-headers the delay in milliseconds. */
  readonly argument: number;
}

export type FaultRates = Readonly<Partial<Record<FaultKind, number>>>;

const DEFAULT_TOKENS = 1;
const DEFAULT_HEADER_DELAY_MS = 1000;
const MAX_ARGUMENT = 1_000_000;

/** Reads `kind` or `kind:argument`; undefined when it is neither. */
export function parseFault(text: string): Fault | undefined {
  const [name = "", argument, ...rest] = text.trim().split(":");
  const kind = FAULT_KINDS.find((known) => known === name);
  if (kind === undefined || rest.length > 0) return undefined;
  if (argument === undefined) return { kind, argument: defaultArgument(kind) };
  if (!/^\d{1,7}$/.test(argument) || Number(argument) > MAX_ARGUMENT) return undefined;
  return { kind, argument: Number(argument) };
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
  return kind === "slow-headers" ? DEFAULT_HEADER_DELAY_MS : DEFAULT_TOKENS;
}
