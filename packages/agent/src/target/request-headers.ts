import { readFileSync } from "node:fs";
import { LoadError, type TestPlan } from "@tokenstorm/core";

/** Written by the client itself; a plan that sets them would break the framing. */
const RESERVED = [
  "connection",
  "content-length",
  "expect",
  "keep-alive",
  "transfer-encoding",
  "upgrade",
  "x-request-id",
];

/** A key and the name it was found under; only the name may be shown. */
export interface ApiKey {
  readonly value: string;
  readonly source: string;
}

/** Throws LoadError SECRET_MISSING, naming the variable or file, never a value. Null where the plan names no key. */
export function resolveApiKey(
  target: TestPlan["target"],
  env: Readonly<Record<string, string | undefined>>,
): ApiKey | null {
  if (target.apiKeyEnv !== undefined) {
    const source = `environment variable ${target.apiKeyEnv}`;
    return checkedKey(env[target.apiKeyEnv] ?? "", source);
  }
  if (target.apiKeyFile === undefined) return null;
  const source = `file ${target.apiKeyFile}`;
  try {
    return checkedKey(readFileSync(target.apiKeyFile, "utf8"), source);
  } catch (cause) {
    if (cause instanceof LoadError) throw cause;
    throw missing(`the API key's ${source} cannot be read on this agent`, cause);
  }
}

function checkedKey(text: string, source: string): ApiKey {
  const value = text.trim();
  if (value === "") throw missing(`the API key's ${source} is not set, or empty, on this agent`);
  if (!/^[\x21-\x7e]+$/.test(value))
    throw missing(`the API key's ${source} holds characters no header can carry`);
  return { value, source };
}

/** Fewer would be found in texts that have nothing to do with the key. */
const TELLING_CHARACTERS = 8;

/**
 * What a server said, without the key: some repeat it in their errors. An excerpt may end in the middle of one, so what
 * begins as the key does is taken out as far as it goes on so.
 */
export function withoutKey(text: string, key: ApiKey | null): string {
  if (key === null) return text;
  const quoted = inQuotes(key.value);
  // As it is, in the server's JSON, and in that where it is quoted itself.
  return [key.value, quoted, inQuotes(quoted)].reduce(withoutValue, text);
}

const inQuotes = (text: string): string => JSON.stringify(text).slice(1, -1);

/** Errors go over the bus, into logs and run directories: those of this work go without the key. */
export async function hidingKey<T>(key: ApiKey | null, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof LoadError)) throw error;
    const message = withoutKey(error.message, key);
    // Its cause may quote the server too.
    throw message === error.message ? error : new LoadError(error.code, message, { hint: error.hint });
  }
}

function withoutValue(text: string, value: string): string {
  const head = value.slice(0, TELLING_CHARACTERS);
  let clean = "";
  let from = 0;
  for (let at = text.indexOf(head); at >= 0; at = text.indexOf(head, from)) {
    let end = at + head.length;
    while (end - at < value.length && text[end] === value[end - at]) end += 1;
    clean += `${text.slice(from, at)}***`;
    from = end;
  }
  return clean + text.slice(from);
}

function missing(message: string, cause?: unknown): LoadError {
  return new LoadError("SECRET_MISSING", message, {
    hint: "set it on every agent; a plan names a secret, it never holds one",
    cause,
  });
}

/**
 * Names and values in turn, as undici takes them; the plan's own go before the defaults. Throws LoadError PLAN_INVALID
 * for a header that belongs to the client.
 */
export function requestHeaders(
  target: TestPlan["target"],
  key: ApiKey | null,
  accept = "text/event-stream",
): readonly string[] {
  const headers = new Map<string, string>([
    ["content-type", "application/json"],
    ["accept", accept],
  ]);
  if (key !== null) headers.set("authorization", `Bearer ${key.value}`);
  for (const [name, value] of Object.entries(target.headers ?? {})) {
    const lower = name.toLowerCase();
    if (
      RESERVED.includes(lower) ||
      !/^[!#$%&'*+.^_`|~0-9a-z-]+$/.test(lower) ||
      !/^[\t\x20-\x7e\x80-\xff]*$/.test(value)
    ) {
      throw new LoadError("PLAN_INVALID", `target.headers: ${JSON.stringify(name)} cannot be sent`, {
        hint: `not possible are ${RESERVED.join(", ")} and values with line ends`,
      });
    }
    headers.set(lower, value);
  }
  return [...headers].flat();
}
