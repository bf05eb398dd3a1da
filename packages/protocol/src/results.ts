import { type Final, type KeptEvent, LoadError, type Snapshot } from "@tokenstorm/core";
import { z } from "zod";
import { deflatePayload, inflatePayload } from "./compressed-histogram.js";
import { decodeMessage, describeIssues, MESSAGES } from "./envelope.js";
import { FinalMessage, KeptEventMessage, SnapshotLine, type SnapshotMessage } from "./messages/index.js";
import { blockFromWire, blockToWire, mapPayloads } from "./wire-block.js";

/** What one agent leaves behind of a run: its intervals, and its last word. */
export type Result =
  | { readonly kind: "snapshot"; readonly snapshot: Snapshot }
  | { readonly kind: "final"; readonly final: Final };

/** All histograms of a snapshot together, inflated: a dozen of a second's blocks have some 100 KiB. */
const MAX_INFLATED_BYTES = 16 * 1024 * 1024;

const LineKind = z.object({ kind: z.enum(["snapshot", "final"]) });

/**
 * A result as it came over the wire, and the line that keeps it in the run directory; the histograms are not deflated
 * a second time for it. Throws as the decoders do.
 */
export function decodeResult(
  kind: Result["kind"],
  bytes: Uint8Array,
): { readonly result: Result; readonly line: string } {
  if (kind === "final") {
    const final: Final = decodeMessage(MESSAGES.final, bytes);
    return { result: { kind, final }, line: JSON.stringify(finalToJson(final)) };
  }
  const message = decodeMessage(MESSAGES.snapshot, bytes);
  const snapshot = snapshotFromMessage(message);
  return { result: { kind, snapshot }, line: JSON.stringify(lineOfMessage(message)) };
}

/** One line of snapshots.ndjson, without the newline. */
export function resultToLine(result: Result): string {
  return JSON.stringify(
    result.kind === "snapshot" ? snapshotToJson(result.snapshot) : finalToJson(result.final),
  );
}

/** Reads what `resultToLine` wrote. Throws RESULTS_UNREADABLE naming the field. */
export function lineToResult(line: string): Result {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (cause) {
    throw unreadable("the line is no JSON", cause);
  }
  const checked = LineKind.safeParse(value);
  if (!checked.success) throw unreadable(describeIssues(checked.error), checked.error);
  const { kind } = checked.data;
  return kind === "final"
    ? { kind, final: finalFromJson(value) }
    : { kind, snapshot: snapshotFromJson(value) };
}

/** A line of events.ndjson: the event itself, and who numbered it. */
export function eventToLine({ term, seq, event }: KeptEvent): string {
  return JSON.stringify({ ...event, by: `${term}:${seq}` });
}

const EventBy = z.looseObject({ by: z.string().regex(/^\d+:\d+$/) });

/** Reads what `eventToLine` wrote; undefined for anything else, as lines of older versions. */
export function lineToEvent(line: string): KeptEvent | undefined {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return undefined;
  }
  const by = EventBy.safeParse(value);
  if (!by.success) return undefined;
  const [term, seq] = by.data.by.split(":").map(Number);
  const kept = KeptEventMessage.safeParse({ term, seq, event: value });
  return kept.success ? kept.data : undefined;
}

/** A plain object for JSON; payloads as base64 of the compressed envelope. */
export function snapshotToJson(snapshot: Snapshot): SnapshotLine & { readonly kind: "snapshot" } {
  return lineOfMessage(snapshotToMessage(snapshot));
}

/** Throws RESULTS_UNREADABLE. */
export function snapshotFromJson(value: unknown): Snapshot {
  const checked = SnapshotLine.safeParse(value);
  if (!checked.success) throw unreadable(describeIssues(checked.error), checked.error);
  try {
    const bytesOf = oncePer(bytesOfBase64);
    return snapshotFromMessage({
      ...checked.data,
      blocks: checked.data.blocks.map((block) => mapPayloads(block, bytesOf)),
    });
  } catch (cause) {
    if (cause instanceof LoadError) throw unreadable(cause.message, cause);
    throw cause;
  }
}

export function finalToJson(final: Final): Final & { readonly kind: "final" } {
  return { kind: "final", ...final };
}

/** Throws RESULTS_UNREADABLE. */
export function finalFromJson(value: unknown): Final {
  const checked = FinalMessage.safeParse(value);
  if (!checked.success) throw unreadable(describeIssues(checked.error), checked.error);
  return checked.data;
}

/** As it goes over the wire: every payload in its compressed envelope. */
export function snapshotToMessage(snapshot: Snapshot): SnapshotMessage {
  return {
    ...snapshot,
    blocks: snapshot.blocks.map((block) => mapPayloads(blockToWire(block), deflatePayload)),
  };
}

/** Throws PROTOCOL_MALFORMED where a payload is none, or where they are too large together. */
export function snapshotFromMessage(message: SnapshotMessage): Snapshot {
  let inflatedBytes = 0;
  const inflated = oncePer(inflatePayload);
  const inflate = (bytes: Uint8Array, field: string): Uint8Array => {
    const payload = inflated(bytes, field);
    inflatedBytes += payload.length;
    if (inflatedBytes > MAX_INFLATED_BYTES)
      throw new LoadError("PROTOCOL_MALFORMED", `blocks: over ${MAX_INFLATED_BYTES} bytes of histograms`);
    return payload;
  };
  return {
    ...message,
    blocks: message.blocks.map((block, i) =>
      blockFromWire(
        mapPayloads(block, (payload, field) =>
          inflate(payload, `not a snapshot message: blocks.${i}.${field}.payload`),
        ),
      ),
    ),
  };
}

/**
 * Several histograms of an interval are often one and the same: first token and first content, gap and latency between
 * tokens. In a line they are equal texts, and become the same bytes, which are inflated once.
 */
function oncePer<From, To>(change: (from: From, field: string) => To): (from: From, field: string) => To {
  const known = new Map<From, To>();
  return (from, field) => {
    const found = known.get(from);
    if (found !== undefined) return found;
    const changed = change(from, field);
    known.set(from, changed);
    return changed;
  };
}

function lineOfMessage(message: SnapshotMessage): SnapshotLine & { readonly kind: "snapshot" } {
  return {
    kind: "snapshot",
    ...message,
    blocks: message.blocks.map((block) => mapPayloads(block, base64)),
  };
}

/** To the letter: Node.js passes over whatever is no base64, and then has fewer bytes; `-` and `_` it takes for others. */
function bytesOfBase64(text: string, field: string): Uint8Array {
  const padding = text.endsWith("==") ? 2 : text.endsWith("=") ? 1 : 0;
  const bytes = Buffer.from(text, "base64");
  const isWhole = text.length % 4 === 0 && bytes.length === (text.length / 4) * 3 - padding;
  if (!isWhole || text.includes("-") || text.includes("_"))
    throw new LoadError("PROTOCOL_MALFORMED", `blocks: ${field}.payload: is no base64`);
  return bytes;
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64");
}

function unreadable(why: string, cause: unknown): LoadError {
  return new LoadError("RESULTS_UNREADABLE", `not a line of results: ${why}`, { cause });
}
