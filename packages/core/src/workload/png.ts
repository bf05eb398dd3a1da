import { assert } from "../errors.js";
import type { Random } from "../random/random.js";
import { adler32, combinedAdler32, crc32 } from "./checksums.js";

/**
 * PNG images of noise, in pieces of which the large one serves many images. Each is greyscale with 2 bits a pixel, stored
 * without compression: width x height / 4 bytes, about what a photograph of that size has as JPEG, and the same bytes from
 * every version of every zlib. PNG: ISO/IEC 15948:2003; zlib: RFC 1950; stored blocks: RFC 1951, section 3.2.4.
 */
export interface PngBody {
  readonly width: number;
  readonly height: number;
  /** Bytes of pixels, row markers included, that stand before it, and are an image's own. */
  readonly ownBytes: number;
  /** The chunk that all images with this body share; a multiple of 3 bytes, so that its base64 can be shared as well. */
  readonly bytes: Uint8Array;
  /** Of the pixels in it. */
  readonly adler: number;
  readonly pixelBytes: number;
}

/** What is an image's own; head and tail are multiples of 3 bytes long. The image is head, body, tail. */
export interface PngOwn {
  readonly head: Uint8Array;
  readonly tail: Uint8Array;
}

/** Pixels by which images with one body differ: 4 KiB of noise. */
const OWN_BYTES = 4096;
const MOST_STORED = 65_535;
const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
/** Bytes of a PNG before its own pixels: signature, IHDR, head of an IDAT chunk, zlib header, head of a stored block. */
const BEFORE_PIXELS = 8 + 25 + 8 + 2 + 5;
const CHUNK_BYTES = 12;
const EMPTY_BLOCK = [0, 0, 0, 0xff, 0xff];

/** The noise that images of a size share. Takes some milliseconds for a million pixels. */
export function pngBody(size: { readonly width: number; readonly height: number }, random: Random): PngBody {
  const { width, height } = size;
  const rowBytes = bytesPerRow(width);
  const total = rowBytes * height;
  const ownBytes = ownBytesOf(total);
  const pixels = noise({ from: ownBytes, count: total - ownBytes, rowBytes }, random);
  const blocks = Math.ceil(pixels.length / MOST_STORED);
  const stored = pixels.length + 5 * blocks;
  // An empty block is 5 bytes: none, one or two of them make any number a multiple of 3.
  const empty = stored % 3;
  const data = new Uint8Array(stored + 5 * empty);
  let at = 0;
  for (let from = 0; from < pixels.length; from += MOST_STORED) {
    at = storeBlock(data, at, pixels.subarray(from, from + MOST_STORED));
  }
  for (let i = 0; i < empty; i += 1, at += 5) data.set(EMPTY_BLOCK, at);
  assert(
    at === data.length && data.length % 3 === 0,
    `a body of ${data.length} bytes, of which ${at} are set`,
  );
  return {
    width,
    height,
    ownBytes,
    bytes: chunk("IDAT", data),
    adler: adler32(pixels),
    pixelBytes: pixels.length,
  };
}

/** An image with this body; other random numbers make another image. */
export function pngOwn(body: PngBody, random: Random): PngOwn {
  const { width, height, ownBytes } = body;
  const pixels = noise({ from: 0, count: ownBytes, rowBytes: bytesPerRow(width) }, random);
  const data = new Uint8Array(2 + 5 + ownBytes);
  // Deflate with a window of 32 KiB, no preset dictionary; a multiple of 31 as a 16-bit number.
  data.set([0x78, 0x01]);
  storeBlock(data, 2, pixels);
  const head = joined([Uint8Array.from(SIGNATURE), header(width, height), chunk("IDAT", data)]);
  const adler = combinedAdler32(adler32(pixels), body.adler, body.pixelBytes);
  const last = new Uint8Array([1, 0, 0, 0xff, 0xff, 0, 0, 0, 0]);
  setUint32(last, 5, adler);
  const tail = joined([chunk("IDAT", last), chunk("IEND", new Uint8Array(0))]);
  assert(head.length % 3 === 0 && tail.length % 3 === 0, "pieces that are no multiple of 3 bytes");
  return { head, tail };
}

/** Filter type, then four pixels a byte. */
function bytesPerRow(width: number): number {
  return 1 + Math.ceil(width / 4);
}

/** The most, up to OWN_BYTES, with which what stands before the body is a multiple of 3 bytes. */
function ownBytesOf(total: number): number {
  const most = Math.min(total, OWN_BYTES);
  // A chunk ends with four bytes of checksum.
  return most - ((BEFORE_PIXELS + 4 + most) % 3);
}

function noise(
  part: { readonly from: number; readonly count: number; readonly rowBytes: number },
  random: Random,
): Uint8Array {
  const { from, count, rowBytes } = part;
  const pixels = new Uint8Array(count);
  for (let i = 0; i < count; i += 4) {
    const word = random.nextInt32();
    pixels[i] = word;
    pixels[i + 1] = word >>> 8;
    pixels[i + 2] = word >>> 16;
    pixels[i + 3] = word >>> 24;
  }
  // Each row begins with the number of its filter: none.
  for (let i = (rowBytes - (from % rowBytes)) % rowBytes; i < count; i += rowBytes) pixels[i] = 0;
  return pixels;
}

function storeBlock(data: Uint8Array, at: number, part: Uint8Array): number {
  const { length } = part;
  data.set([0, length & 0xff, length >>> 8, ~length & 0xff, (~length >>> 8) & 0xff], at);
  data.set(part, at + 5);
  return at + 5 + length;
}

function header(width: number, height: number): Uint8Array {
  // 2 bits a sample, greyscale, deflate, no interlace.
  const data = new Uint8Array([0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0]);
  setUint32(data, 0, width);
  setUint32(data, 4, height);
  return chunk("IHDR", data);
}

function chunk(type: "IHDR" | "IDAT" | "IEND", data: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(data.length + CHUNK_BYTES);
  setUint32(bytes, 0, data.length);
  for (let i = 0; i < 4; i += 1) bytes[4 + i] = type.charCodeAt(i);
  bytes.set(data, 8);
  setUint32(bytes, 8 + data.length, crc32(bytes, 4, 8 + data.length));
  return bytes;
}

function setUint32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
