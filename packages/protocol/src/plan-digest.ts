import { createHash } from "node:crypto";
import type { TestPlan } from "@tokenstorm/core";

/** SHA-256, hex, of the plan as JSON with its keys in order: the same for every way of writing the same plan. */
export function planDigest(plan: TestPlan): string {
  return createHash("sha256").update(canonicalJson(plan)).digest("hex");
}

/** JSON with the keys of every object in order: one text for every way of writing the same. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map((item) => canonicalJson(item ?? null)).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const members = Object.entries(value)
    .filter(([, member]) => member !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, member]) => `${JSON.stringify(key)}:${canonicalJson(member)}`);
  return `{${members.join(",")}}`;
}
