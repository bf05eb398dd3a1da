import assert from "node:assert/strict";
import { test } from "node:test";
import { inflateSync, crc32 as zlibCrc32 } from "node:zlib";
import { Random, randomState, STREAMS } from "../random/random.js";
import { adler32, combinedAdler32, crc32 } from "./checksums.js";
import { type PngBody, pngBody, pngOwn } from "./png.js";

const random = (seed: number) => new Random(randomState(seed, STREAMS.imageContent, []));

function image(body: PngBody, seed: number): Buffer {
  const { head, tail } = pngOwn(body, random(seed));
  return Buffer.concat([head, body.bytes, tail]);
}

/** Reads a PNG by the standard, and nothing of ours: chunks with their checksums, and the pixels through zlib. */
function decode(png: Buffer): { width: number; height: number; pixels: Buffer } {
  assert.deepEqual([...png.subarray(0, 8)], [137, 80, 78, 71, 13, 10, 26, 10]);
  const data: Buffer[] = [];
  const types: string[] = [];
  let header: Uint8Array = Buffer.alloc(0);
  let at = 8;
  while (at < png.length) {
    const length = png.readUInt32BE(at);
    const type = png.toString("latin1", at + 4, at + 8);
    const content = png.subarray(at + 8, at + 8 + length);
    assert.equal(png.readUInt32BE(at + 8 + length), zlibCrc32(png.subarray(at + 4, at + 8 + length)), type);
    if (type === "IHDR") header = content;
    if (type === "IDAT") data.push(content);
    types.push(type);
    at += 12 + length;
  }
  assert.deepEqual([types[0], types.at(-1)], ["IHDR", "IEND"]);
  assert.equal(at, png.length);
  assert.deepEqual([...header.subarray(8)], [2, 0, 0, 0, 0], "greyscale of 2 bits");
  return {
    width: Buffer.from(header).readUInt32BE(0),
    height: Buffer.from(header).readUInt32BE(4),
    pixels: inflateSync(Buffer.concat(data)),
  };
}

for (const [width, height] of [
  [1, 1],
  [2, 1],
  [3, 5],
  [224, 224],
  [1280, 720],
  [1023, 1025],
  [8192, 3],
  [5, 8192],
] as const) {
  test(`an image of ${width} x ${height} is a PNG of that size with noise in every row`, () => {
    const body = pngBody({ width, height }, random(1));
    const png = image(body, 2);
    const { pixels, ...size } = decode(png);
    assert.deepEqual(size, { width, height });
    const rowBytes = 1 + Math.ceil(width / 4);
    assert.equal(pixels.length, rowBytes * height);
    for (let row = 0; row < height; row += 1) assert.equal(pixels[row * rowBytes], 0, `filter of row ${row}`);
    if (width >= 64) {
      for (let row = 0; row < height; row += 1)
        assert.ok(new Set(pixels.subarray(row * rowBytes + 1, (row + 1) * rowBytes)).size > 8, `row ${row}`);
    }
    for (const part of [pngOwn(body, random(2)).head, body.bytes, pngOwn(body, random(2)).tail])
      assert.equal(part.length % 3, 0, "so that base64 of the pieces is base64 of the image");
  });
}

test("images of one size differ by their random numbers, and equal numbers are equal images", () => {
  const body = pngBody({ width: 640, height: 480 }, random(1));
  const one = image(body, 2);
  assert.ok(one.equals(image(pngBody({ width: 640, height: 480 }, random(1)), 2)));
  const other = image(body, 3);
  assert.ok(!decode(one).pixels.equals(decode(other).pixels));
  assert.equal(one.length, other.length);
});

test("an image takes about a quarter of a byte for each pixel", () => {
  const png = image(pngBody({ width: 1024, height: 1024 }, random(1)), 2);
  assert.ok(Math.abs(png.length / (1024 * 1024) - 0.25) < 0.002, `${png.length} bytes`);
});

test("checksums are zlib's, also when they are put together from parts", () => {
  assert.equal(crc32(Buffer.from("123456789")), 0xcbf43926);
  assert.equal(adler32(Buffer.from("Wikipedia")), 0x11e60398);
  assert.equal(adler32(new Uint8Array(0)), 1);
  const noise = random(7);
  const bytes = Uint8Array.from({ length: 200_001 }, () => (noise.nextInt32() >>> 24) | 0x80);
  for (const cut of [0, 1, 5551, 5552, 65_521, 131_042, 200_001]) {
    const [first, second] = [bytes.subarray(0, cut), bytes.subarray(cut)];
    assert.equal(
      combinedAdler32(adler32(first), adler32(second), second.length),
      adler32(bytes),
      `cut at ${cut}`,
    );
  }
});
