import { LEASE_LIMITS, type LeaseEntry } from "@tokenstorm/core";

/** What stands under the leader's key, as JSON. */
export function encodeLease(entry: LeaseEntry): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(entry));
}

/** Null for what is no entry. */
export function decodeLease(bytes: Uint8Array): LeaseEntry | null {
  const value = parse(bytes);
  const term = value?.["term"];
  const isTerm = typeof term === "number" && Number.isInteger(term) && term >= 0;
  if (value?.["v"] !== 1 || !isTerm || term > LEASE_LIMITS.mostTerm) return null;
  return {
    v: 1,
    term,
    leader: String(value["leader"] ?? ""),
    instance: String(value["instance"] ?? ""),
    isFree: value["isFree"] === true,
  };
}

function parse(bytes: Uint8Array): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(bytes));
    return typeof value === "object" && value !== null ? { ...value } : undefined;
  } catch {
    return undefined;
  }
}
