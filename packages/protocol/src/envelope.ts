import { assert, LoadError } from "@tokenstorm/core";
import type { z } from "zod";
import {
  Beacon,
  ClockProbe,
  ClockReply,
  FinalMessage,
  Heartbeat,
  KeptEventMessage,
  LiveMessage,
  PROTOCOL_VERSION,
  RunRecordMessage,
  SnapshotMessage,
} from "./messages/index.js";
import { pack, unpack } from "./msgpack.js";

/** What a reader takes, at most. */
export const MAX_MESSAGE_BYTES = 1024 * 1024;
/** A server counts headers too (message id, expected revision); its own limit is 1 MiB by default. */
const HEADER_ALLOWANCE_BYTES = 2048;

/** A message by its name on the wire and the schema of its body. */
export interface MessageKind<Schema extends z.ZodType = z.ZodType> {
  readonly type: string;
  readonly schema: Schema;
}

const kind = <Schema extends z.ZodType>(type: string, schema: Schema): MessageKind<Schema> => ({
  type,
  schema,
});

/** Everything that is said, over whatever transport. */
export const MESSAGES = {
  beacon: kind("beacon", Beacon),
  heartbeat: kind("heartbeat", Heartbeat),
  clockProbe: kind("clock-probe", ClockProbe),
  clockReply: kind("clock-reply", ClockReply),
  snapshot: kind("snapshot", SnapshotMessage),
  final: kind("final", FinalMessage),
  event: kind("event", KeptEventMessage),
  live: kind("live", LiveMessage),
  run: kind("run", RunRecordMessage),
} as const;

type DeepReadonly<T> = T extends Uint8Array
  ? T
  : T extends object
    ? { readonly [K in keyof T]: DeepReadonly<T[K]> }
    : T;

/** What `encodeMessage` takes for a kind: its body, which it only reads. */
export type BodyOf<Schema extends z.ZodType> = DeepReadonly<z.output<Schema>>;

/**
 * `{v, type, body}` as MessagePack. Keys that are undefined are left out. A number that is not finite is a bug (it would
 * be refused by every reader, for ever): asserted. Throws PROTOCOL_MALFORMED when it is larger than a reader would take.
 */
export function encodeMessage<Schema extends z.ZodType>(
  message: MessageKind<Schema>,
  body: BodyOf<Schema>,
): Uint8Array {
  const bytes = pack({ v: PROTOCOL_VERSION, type: message.type, body: plain(body, message.type) });
  const limit = MAX_MESSAGE_BYTES - HEADER_ALLOWANCE_BYTES;
  if (bytes.length > limit)
    throw new LoadError(
      "PROTOCOL_MALFORMED",
      `a ${message.type} message of ${bytes.length} bytes is over the limit of ${limit}`,
    );
  return bytes;
}

/**
 * The body, checked. Throws LoadError and nothing else, whatever the bytes are: PROTOCOL_UNSUPPORTED_VERSION for another
 * version of the protocol, PROTOCOL_MALFORMED for everything else, naming the field.
 */
export function decodeMessage<Schema extends z.ZodType>(
  message: MessageKind<Schema>,
  bytes: Uint8Array,
  options: { readonly maxBytes?: number } = {},
): z.output<Schema> {
  const maxBytes = options.maxBytes ?? MAX_MESSAGE_BYTES;
  if (bytes.length > maxBytes)
    throw malformed(message, `${bytes.length} bytes are over the limit of ${maxBytes}`);
  const body = bodyOf(message, bytes);
  const checked = message.schema.safeParse(body);
  if (checked.success) return checked.data;
  throw malformed(message, describeIssues(checked.error));
}

/** The first problem with its path, and how many there are. */
export function describeIssues(error: z.ZodError): string {
  const [first] = error.issues;
  if (first === undefined) return "is not understood";
  const path = first.path.map((part) => String(part).slice(0, 64)).join(".");
  const more = error.issues.length > 1 ? ` (and ${error.issues.length - 1} more)` : "";
  return `${path === "" ? "the body" : path}: ${first.message.slice(0, 200)}${more}`;
}

function bodyOf(message: MessageKind, bytes: Uint8Array): unknown {
  let envelope: unknown;
  try {
    envelope = unpack(bytes);
  } catch (cause) {
    throw malformed(message, cause instanceof Error ? cause.message : String(cause), cause);
  }
  if (typeof envelope !== "object" || envelope === null || !("v" in envelope))
    throw malformed(message, "v: is missing");
  if (envelope.v !== PROTOCOL_VERSION) {
    if (!Number.isSafeInteger(envelope.v)) throw malformed(message, "v: is no version");
    throw new LoadError(
      "PROTOCOL_UNSUPPORTED_VERSION",
      `a ${message.type} message of protocol version ${String(envelope.v)}; this one speaks ${PROTOCOL_VERSION}`,
      { hint: "run the same version of tokenstorm everywhere" },
    );
  }
  if (!("type" in envelope) || envelope.type !== message.type)
    throw malformed(message, "type: is that of another message");
  if (!("body" in envelope)) throw malformed(message, "body: is missing");
  return envelope.body;
}

function malformed(message: MessageKind, why: string, cause?: unknown): LoadError {
  return new LoadError("PROTOCOL_MALFORMED", `not a ${message.type} message: ${why}`, { cause });
}

/** A copy without keys that are undefined, which MessagePack has no word for. */
function plain(value: unknown, path: string): unknown {
  if (typeof value === "number") {
    assert(Number.isFinite(value), `${path} is ${value}`);
    return value;
  }
  if (typeof value !== "object" || value === null || value instanceof Uint8Array) return value;
  if (Array.isArray(value)) return value.map((item, i) => plain(item, `${path}.${i}`));
  const copy: Record<string, unknown> = {};
  for (const [key, item] of Object.entries(value)) {
    if (item !== undefined) copy[key] = plain(item, `${path}.${key}`);
  }
  return copy;
}
