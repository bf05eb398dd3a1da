import { LoadError, type RunReport } from "@tokenstorm/core";

/** A report as JSON, from a file or the blob store. Throws RESULTS_UNREADABLE naming `source`. */
export function parseReport(text: string, source: string): RunReport {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw unreadable(source, "it is no JSON", cause);
  }
  if (typeof value !== "object" || value === null || !("schemaVersion" in value)) {
    throw unreadable(source, "it is no report");
  }
  if (value.schemaVersion !== 1) {
    throw unreadable(source, `it has schema version ${String(value.schemaVersion)}; this tokenstorm reads 1`);
  }
  if (!isReport(value)) throw unreadable(source, "parts of it are missing");
  return value;
}

const PARTS = ["run", "totals", "verdict", "completeness", "agents", "stages", "thresholds"] as const;

/** The parts are there; what is in them was written by the same version of the schema. */
function isReport(value: object): value is RunReport {
  const parts: Readonly<Record<string, unknown>> = { ...value };
  return PARTS.every((part) => typeof parts[part] === "object" && parts[part] !== null);
}

function unreadable(source: string, problem: string, cause?: unknown): LoadError {
  return new LoadError("RESULTS_UNREADABLE", `the report ${source} cannot be read: ${problem}`, { cause });
}
