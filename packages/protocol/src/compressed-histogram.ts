import { deflateSync, inflateSync } from "node:zlib";
import { LoadError } from "@tokenstorm/core";

/** V2CompressedEncodingCookieBase | 0x10 of HdrHistogram; base64 of an envelope begins with HISTF. */
const COMPRESSED_COOKIE = 0x1c849314;
const HEADER_BYTES = 8;
/** 23,552 counters of our geometry, 9 bytes each at most, and the header of the payload. */
const MAX_PAYLOAD_BYTES = 256 * 1024;
/** Most payloads have some hundred bytes: the usual piece of 16 KiB for each would cost more than inflating it. */
const INFLATE = { maxOutputLength: MAX_PAYLOAD_BYTES, chunkSize: 2048 };

/** Wraps a raw V2 payload: cookie, int32 length, zlib stream (HdrHistogram's compressed encoding). */
export function deflatePayload(payload: Uint8Array): Uint8Array {
  // Level 1: the levels above cost several times as much for a few per cent.
  const deflated = deflateSync(payload, { level: 1 });
  const envelope = new Uint8Array(HEADER_BYTES + deflated.length);
  const view = new DataView(envelope.buffer);
  view.setInt32(0, COMPRESSED_COOKIE);
  view.setInt32(4, deflated.length);
  envelope.set(deflated, HEADER_BYTES);
  return envelope;
}

/** The raw V2 payload of an envelope. `field` names it in the PROTOCOL_MALFORMED that a bad one throws. */
export function inflatePayload(envelope: Uint8Array, field: string): Uint8Array {
  const refuse = (why: string, cause?: unknown) =>
    new LoadError("PROTOCOL_MALFORMED", `${field}: ${why}`, { cause });
  if (envelope.length < HEADER_BYTES) throw refuse(`${envelope.length} bytes are no compressed histogram`);
  const view = new DataView(envelope.buffer, envelope.byteOffset, envelope.byteLength);
  if (view.getInt32(0) !== COMPRESSED_COOKIE) throw refuse("is no compressed histogram");
  if (view.getInt32(4) !== envelope.length - HEADER_BYTES)
    throw refuse(`says ${view.getInt32(4)} bytes and holds ${envelope.length - HEADER_BYTES}`);
  try {
    return inflateSync(envelope.subarray(HEADER_BYTES), INFLATE);
  } catch (cause) {
    throw refuse("cannot be inflated", cause);
  }
}
