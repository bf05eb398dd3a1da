import assert from "node:assert/strict";
import { test } from "node:test";
import { deflateSync } from "node:zlib";
import { ApiError } from "../http/api-error.js";
import { readImage } from "./image-part.js";
import { imageRules, kimiImageTokens, qwenImageTokens } from "./image-rules.js";
import { imageSize } from "./image-size.js";

/** Header of a PNG; nothing reads further. */
function png(width: number, height: number): Buffer {
  const head = Buffer.alloc(33);
  Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]).copy(head);
  head.writeUInt32BE(13, 8);
  head.write("IHDR", 12, "latin1");
  head.writeUInt32BE(width, 16);
  head.writeUInt32BE(height, 20);
  return Buffer.concat([head, deflateSync(Buffer.alloc(8))]);
}

/** A JPEG up to its frame header, behind `metadata` bytes of application data. */
function jpeg(width: number, height: number, metadata = 100): Buffer {
  const segments: Buffer[] = [Buffer.from([0xff, 0xd8])];
  for (let left = metadata; left > 0; left -= 65_000) {
    const size = Math.min(left, 65_000);
    segments.push(Buffer.from([0xff, 0xe1, (size + 2) >> 8, (size + 2) & 255]), Buffer.alloc(size, 0xff));
  }
  segments.push(Buffer.from([0xff, 0xff, 0xff, 0xc4, 0, 4, 1, 2]));
  segments.push(Buffer.from([0xff, 0xc2, 0, 17, 8, height >> 8, height & 255, width >> 8, width & 255, 3]));
  return Buffer.concat(segments);
}

test("sizes are read from the headers of PNG and JPEG, progressive and behind metadata too", () => {
  assert.deepEqual(imageSize(png(1920, 1080)), { width: 1920, height: 1080 });
  for (const metadata of [0, 100, 200_000]) {
    assert.deepEqual(imageSize(jpeg(640, 480, metadata)), { width: 640, height: 480 }, `${metadata} bytes`);
  }
});

test("what is no image, is cut off or empty has no size, and nothing throws", () => {
  const whole = [png(10, 10), jpeg(10, 10)];
  for (const bytes of [
    Buffer.alloc(0),
    Buffer.from("GIF89a"),
    png(0, 5),
    Buffer.from([0xff, 0xd8, 0xff, 0xda, 0, 2]),
  ]) {
    assert.equal(imageSize(bytes), undefined);
  }
  for (const bytes of whole) {
    for (let length = 0; length < 20; length++) assert.equal(imageSize(bytes.subarray(0, length)), undefined);
  }
});

test("token counts are those of the models' own processors", () => {
  // vllm/wire-facts.md, section 8.
  const sizes = [
    [224, 224, 64, 64],
    [512, 512, 256, 361],
    [1024, 1024, 1024, 1369],
    [1280, 720, 880, 1196],
    [1920, 1080, 2040, 2691],
    [3840, 2160, 8160, 4214],
  ] as const;
  for (const [width, height, qwen, kimi] of sizes) {
    assert.equal(qwenImageTokens({ width, height }), qwen, `Qwen ${width} x ${height}`);
    assert.equal(kimiImageTokens({ width, height }), kimi, `Kimi ${width} x ${height}`);
  }
});

test("sides are rounded to even halves, tiny images grow, huge ones shrink, and ribbons are refused", () => {
  // 2.5 x 32 = 80 is rounded to 64, 3.5 x 32 = 112 to 128.
  assert.equal(qwenImageTokens({ width: 80 * 16, height: 80 }), 40 * 2);
  assert.equal(qwenImageTokens({ width: 112 * 16, height: 112 }), 56 * 4);
  assert.equal(qwenImageTokens({ width: 1, height: 1 }), 64);
  assert.ok(qwenImageTokens({ width: 20_000, height: 20_000 }) <= 16_384);
  assert.ok(kimiImageTokens({ width: 20_000, height: 20_000 }) <= 65 * 65);
  assert.equal(kimiImageTokens({ width: 1, height: 1 }), 1);
  // Few patches, but a side beyond 7,168: 7168 x 35, padded to 7168 x 56.
  assert.equal(kimiImageTokens({ width: 20_000, height: 100 }), 256 * 2);
  assert.throws(() => qwenImageTokens({ width: 1000, height: 4 }), RangeError);
});

test("images that cannot be read are answered as vLLM answers them", () => {
  const rules = imageRules["qwen3-vl-235b"];
  assert.ok(rules !== undefined);
  const options = { rules, tokensOfUnseen: 1060, mostPerPrompt: 1 };
  const data = (bytes: Buffer, type = "image/png") => `data:${type};base64,${bytes.toString("base64")}`;
  assert.deepEqual(
    [
      readImage(data(png(1024, 1024)), options).tokens,
      readImage(data(jpeg(512, 512, 150_000)), options).tokens,
    ],
    [1024, 256],
  );
  assert.equal(readImage("https://h/x.png", options).tokens, 1060);
  for (const [url, message] of [
    ["data:image/png,abc", /Only base64/],
    ["ftp://h/x", /HTTP, data or file/],
    [data(Buffer.from("not an image at all")), /cannot identify image/],
    [data(png(1000, 4)), /aspect ratio/],
  ] as const) {
    assert.throws(
      () => readImage(url, options),
      (error) => error instanceof ApiError && error.status === 400 && message.test(error.message),
    );
  }
  const [one, again, other] = [png(64, 64), png(64, 64), png(64, 65)].map((bytes) =>
    readImage(data(bytes), options),
  );
  assert.equal(one?.hash, again?.hash);
  assert.notEqual(one?.hash, other?.hash);
});
