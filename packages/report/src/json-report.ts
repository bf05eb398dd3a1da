import type { RunReport } from "@tokenstorm/core";

/** The report as one JSON object, indented; no final newline. */
export function renderJson(report: RunReport): string {
  return JSON.stringify(report, null, 2);
}
