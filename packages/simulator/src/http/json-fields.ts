import { invalidBody } from "./api-error.js";

/** A JSON object whose fields nobody checked yet. Unknown fields are accepted silently, as in vLLM. */
export type JsonObject = Readonly<Record<string, unknown>>;

export function parseJsonObject(body: Buffer): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(body.toString("utf8"));
  } catch (error) {
    throw invalidBody(`JSON decode error: ${error instanceof Error ? error.message : "not JSON"}`);
  }
  if (!isObject(value)) throw invalidBody("Input should be a valid dictionary");
  return value;
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Absent and null mean the same in all of these. */
export function booleanField(body: JsonObject, name: string): boolean {
  const value = body[name] ?? false;
  if (typeof value !== "boolean") throw invalidBody(`${name}: Input should be a valid boolean`, name);
  return value;
}

export function stringField(body: JsonObject, name: string): string | undefined {
  const value = body[name] ?? undefined;
  if (value !== undefined && typeof value !== "string") {
    throw invalidBody(`${name}: Input should be a valid string`, name);
  }
  return value;
}

export function integerField(body: JsonObject, name: string): number | undefined {
  const value = body[name] ?? undefined;
  if (value === undefined) return undefined;
  if (typeof value !== "number" || !Number.isSafeInteger(value)) {
    throw invalidBody(`${name}: Input should be a valid integer`, name);
  }
  return value;
}

export function objectField(body: JsonObject, name: string): JsonObject | undefined {
  const value = body[name] ?? undefined;
  if (value !== undefined && !isObject(value)) {
    throw invalidBody(`${name}: Input should be a valid dictionary`, name);
  }
  return value;
}
