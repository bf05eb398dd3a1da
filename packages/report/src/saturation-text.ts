import type { RunReport } from "@tokenstorm/core";
import { printable } from "./columns.js";

/** Where the ladder stops growing, by what was in flight; undefined for a run that is no ladder. */
export function saturationText({ saturation }: RunReport): string | undefined {
  if (saturation === undefined) return undefined;
  if (saturation.kind !== "unknown") return printable(saturation.sentence);
  return `cannot be told: ${printable(saturation.because)}.`;
}
