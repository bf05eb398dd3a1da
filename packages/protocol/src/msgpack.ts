import { Packr, Unpackr } from "msgpackr";

/** Nesting that no message of ours reaches. */
const MAX_DEPTH = 24;
/** Values in one message: a live update of 10,000 agents has some 200,000. */
const MAX_VALUES = 300_000;

const OPTIONS = {
  useRecords: false,
  mapsAsObjects: true,
  variableMapSize: true,
  moreTypes: false,
  structuredClone: false,
} as const;
const packr = new Packr(OPTIONS);
const unpackr = new Unpackr({ ...OPTIONS, int64AsType: "number" });

/** Plain data (objects, arrays, strings, finite numbers, booleans, null, bytes) as MessagePack, in memory of its own. */
export function pack(value: unknown): Uint8Array {
  // The packer hands out a view into a buffer that it shares between messages; keeping one would keep them all.
  return Uint8Array.from(packr.pack(value));
}

/**
 * Reads plain data, nothing else: whatever could make the reader build other things (extensions, record
 * definitions), nest without end or claim more than is there is found by a walk over the bytes before it runs.
 * Throws an Error that says why.
 */
export function unpack(bytes: Uint8Array): unknown {
  const why = whyNotPlain(bytes);
  if (why !== undefined) throw new Error(why);
  return unpackr.unpack(bytes);
}

/** A walk over the bytes; `at` is where it stands. */
interface Walk {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  at: number;
  values: number;
}

/** Why these bytes are no plain data, or undefined. Format: https://github.com/msgpack/msgpack/blob/master/spec.md */
function whyNotPlain(bytes: Uint8Array): string | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const walk: Walk = { bytes, view, at: 0, values: 0 };
  try {
    walkValue(walk, 0);
  } catch (error) {
    if (error instanceof RangeError) return "ends in the middle of a value";
    return error instanceof Error ? error.message : String(error);
  }
  return walk.at === bytes.length ? undefined : "has bytes after its end";
}

function walkValue(walk: Walk, depth: number): void {
  if (depth > MAX_DEPTH) throw new Error(`is nested deeper than ${MAX_DEPTH}`);
  walk.values += 1;
  if (walk.values > MAX_VALUES) throw new Error(`holds more than ${MAX_VALUES} values`);
  const token = walk.view.getUint8(walk.at);
  walk.at += 1;
  if (token >= 0x80 && token < 0x90) walkMap(walk, token & 0x0f, depth);
  else if (token >= 0x90 && token < 0xa0) walkArray(walk, token & 0x0f, depth);
  else if (token === 0xdc) walkArray(walk, length(walk, 2), depth);
  else if (token === 0xdd) walkArray(walk, length(walk, 4), depth);
  else if (token === 0xde) walkMap(walk, length(walk, 2), depth);
  else if (token === 0xdf) walkMap(walk, length(walk, 4), depth);
  else skip(walk, token);
}

/** Size of the length field, of bytes and texts. */
const LENGTH_BYTES = new Map<number, 1 | 2 | 4>([
  [0xc4, 1],
  [0xc5, 2],
  [0xc6, 4],
  [0xd9, 1],
  [0xda, 2],
  [0xdb, 4],
]);

/** Size of null, booleans, floats and integers after their token. */
const FIXED_BYTES = new Map([
  [0xc0, 0],
  [0xc2, 0],
  [0xc3, 0],
  [0xca, 4],
  [0xcb, 8],
  [0xcc, 1],
  [0xcd, 2],
  [0xce, 4],
  [0xcf, 8],
  [0xd0, 1],
  [0xd1, 2],
  [0xd2, 4],
  [0xd3, 8],
]);

/** Passes a value that holds no other. */
function skip(walk: Walk, token: number): void {
  if (token < 0x80 || token >= 0xe0) return; // a small integer
  if (token >= 0xa0 && token < 0xc0)
    walk.at += token & 0x1f; // a short text
  else {
    const lengthBytes = LENGTH_BYTES.get(token);
    const size = lengthBytes === undefined ? FIXED_BYTES.get(token) : length(walk, lengthBytes);
    if (size === undefined) throw new Error(`holds a 0x${token.toString(16)}, which is no plain data`);
    walk.at += size;
  }
  if (walk.at > walk.bytes.length) throw new RangeError("past the end");
}

function length(walk: Walk, size: 1 | 2 | 4): number {
  const { view, at } = walk;
  walk.at += size;
  if (size === 1) return view.getUint8(at);
  return size === 2 ? view.getUint16(at) : view.getUint32(at);
}

function walkArray(walk: Walk, count: number, depth: number): void {
  for (let i = 0; i < count; i += 1) walkValue(walk, depth + 1);
}

function walkMap(walk: Walk, count: number, depth: number): void {
  for (let i = 0; i < count; i += 1) {
    const token = walk.view.getUint8(walk.at);
    const isText = (token >= 0xa0 && token < 0xc0) || (token >= 0xd9 && token <= 0xdb);
    if (!isText) throw new Error("has a key that is no text");
    walkValue(walk, depth + 1);
    walkValue(walk, depth + 1);
  }
}
