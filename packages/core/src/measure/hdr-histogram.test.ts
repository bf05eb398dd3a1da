import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { test } from "node:test";
import Float64Histogram from "hdr-histogram-js/dist/Float64Histogram.js";
import { LoadError } from "../errors.js";
import { bucketOf, checkEncoded, createHistogram, decodeHistogram, rankOf } from "./hdr-histogram.js";
import { GEOMETRY } from "./hdr-payload.js";
import type { EncodedHistogram } from "./snapshot.js";
import { logUniform, seeded } from "./testing/seeded.js";

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");
/** Cookie, length of the words, offset 0, 3 digits, 1 to 3.6e9, ratio 1.0. */
const header = (wordBytes: number) =>
  `1c849313${wordBytes.toString(16).padStart(8, "0")}0000000000000003` +
  "0000000000000001" +
  "00000000d693a400" +
  "3ff0000000000000";

const goldens: readonly (readonly [string, readonly (readonly [number, number])[], string])[] = [
  ["nothing", [], "00"],
  ["one zero", [[0, 1]], "02"],
  ["one 1, behind a single empty bucket", [[1, 1]], "0002"],
  ["one 2, behind a run of two", [[2, 1]], "0302"],
  [
    "100 ones and 3 threes",
    [
      [1, 100],
      [3, 3],
    ],
    "00c8010006",
  ],
  // 1000 empty buckets are -1000, ZigZag 1999 = 0x7cf; the value 2048 shares its bucket with 2049.
  [
    "1000 and 2049",
    [
      [1000, 1],
      [2049, 5],
    ],
    "cf0f02" + "ad100a",
  ],
  // 2^40 counts: ZigZag 2^41 = 2 x 128^5 x 2^5.
  ["2^40 counts of 0", [[0, 2 ** 40]], "808080808040"],
  ["2^53 - 1 counts of 0", [[0, Number.MAX_SAFE_INTEGER]], "feffffffffffff1f"],
];

for (const [name, values, words] of goldens) {
  test(`${name} is encoded byte for byte as the format says`, () => {
    const histogram = createHistogram();
    for (const [value, times] of values) histogram.record(value, times);
    const encoded = histogram.encode();
    assert.equal(hex(encoded.payload), header(words.length / 2) + words);
    assert.deepEqual(decodeHistogram(encoded).encode(), encoded);
  });
}

test("the bucket of a value is the library's, at every power of two and everywhere between", () => {
  const library = new Float64Histogram.default(GEOMETRY.lowest, GEOMETRY.highest, GEOMETRY.digits);
  assert.equal(library.countsArrayLength, GEOMETRY.buckets);
  const random = seeded(11);
  const values = [0, 1, GEOMETRY.highest];
  for (let power = 1; power < 32; power += 1) values.push(2 ** power - 1, 2 ** power, 2 ** power + 1);
  for (let i = 0; i < 50_000; i += 1) values.push(logUniform(random, GEOMETRY.highest));
  for (const value of values.filter((one) => one <= GEOMETRY.highest)) {
    assert.equal(bucketOf(value), library.countsArrayIndex(value), `value ${value}`);
  }
});

test("the library's own decoder reads our payload to the same counts", () => {
  const { JsHistogram } = createRequire(import.meta.url)("hdr-histogram-js");
  const random = seeded(3);
  const ours = createHistogram();
  const direct = new Float64Histogram.default(GEOMETRY.lowest, GEOMETRY.highest, GEOMETRY.digits);
  for (let i = 0; i < 20_000; i += 1) {
    const value = logUniform(random, GEOMETRY.highest);
    ours.record(value);
    direct.recordValue(value);
  }
  const read = JsHistogram.decode(ours.encode().payload, 64);
  assert.equal(read.totalCount, 20_000);
  for (let bucket = 0; bucket < GEOMETRY.buckets; bucket += 1) {
    assert.equal(read.getCountAtIndex(bucket), direct.getCountAtIndex(bucket), `bucket ${bucket}`);
  }
});

test("percentiles are those of a sort, within a thousandth", () => {
  const seed = 17;
  const random = seeded(seed);
  for (const size of [1, 2, 3, 10, 100, 999, 5000]) {
    const histogram = createHistogram();
    const values = Array.from({ length: size }, () => logUniform(random, GEOMETRY.highest));
    for (const value of values) histogram.record(value);
    values.sort((a, b) => a - b);
    for (const percentile of [0, 0.1, 25, 50, 90, 95, 99, 99.9, 100]) {
      const exact = values[rankOf(percentile, size) - 1] ?? Number.NaN;
      const found = histogram.percentile(percentile) ?? Number.NaN;
      assert.ok(
        found >= exact && found <= exact * 1.001 + 1,
        `p${percentile} of ${size}, seed ${seed}: ${found} for ${exact}`,
      );
    }
    const middle = values[Math.floor(size / 2)] ?? 0;
    const atOrBelow = values.filter((value) => bucketOf(value) <= bucketOf(middle)).length;
    assert.equal(histogram.countAtOrBelow(middle), atOrBelow);
    assert.equal(
      histogram.sum,
      values.reduce((sum, value) => sum + value, 0),
    );
    assert.deepEqual([histogram.min, histogram.max], [values[0], values.at(-1)]);
  }
});

test("the rank of a percentile does not stumble over floating point", () => {
  assert.equal(rankOf(99.9, 1000), 999);
  assert.equal(rankOf(99.9, 1001), 1000);
  assert.equal(rankOf(50, 3), 2);
  assert.equal(rankOf(0.001, 10), 1);
  assert.equal(rankOf(100, 7), 7);
  assert.equal(rankOf(99, 1e9), 990_000_000);
});

test("what no duration can be is refused, where the library would count it", () => {
  const histogram = createHistogram();
  for (const value of [Number.NaN, Number.POSITIVE_INFINITY, -1, 0.5, 2 ** 53]) {
    assert.throws(() => histogram.record(value), /not a duration or length/);
  }
  assert.throws(() => histogram.record(1, -1), /not a number of times/);
  assert.throws(() => histogram.record(1, 0.5), /not a number of times/);
  histogram.record(1, 0);
  assert.equal(histogram.count, 0);
  assert.equal(histogram.percentile(50), null);
  assert.deepEqual([histogram.min, histogram.max, histogram.countAtOrBelow(5)], [0, 0, 0]);
});

test("zero is counted, an hour is counted, more than an hour is overflow with an exact maximum", () => {
  const histogram = createHistogram();
  histogram.record(0, 2);
  histogram.record(GEOMETRY.highest);
  histogram.record(GEOMETRY.highest + 1, 3);
  assert.deepEqual([histogram.count, histogram.overflow], [6, 3]);
  assert.equal(histogram.countAtOrBelow(0), 2);
  assert.equal(histogram.countAtOrBelow(GEOMETRY.highest), 3);
  assert.equal(histogram.percentile(33), 0);
  assert.equal(histogram.percentile(50), GEOMETRY.highest);
  assert.equal(histogram.percentile(51), GEOMETRY.highest + 1);
  assert.equal(histogram.percentile(100), GEOMETRY.highest + 1);
  const copy = decodeHistogram(histogram.encode());
  assert.deepEqual(copy.encode(), histogram.encode());
  const alone = createHistogram();
  alone.record(GEOMETRY.highest + 5);
  assert.equal(decodeHistogram(alone.encode()).percentile(1), GEOMETRY.highest + 5);
});

test("merging is exact, in any order, encoded or not, and a reset histogram is as new", () => {
  const random = seeded(5);
  const parts = Array.from({ length: 5 }, () => {
    const part = createHistogram();
    const size = Math.floor(random() * 300);
    for (let i = 0; i < size; i += 1) part.record(logUniform(random, 1e10), 1 + Math.floor(random() * 3));
    return part;
  });
  const all = createHistogram();
  for (const part of parts) all.merge(part);
  const encoded = createHistogram();
  encoded.record(77);
  encoded.reset();
  for (const part of [...parts].reverse()) encoded.mergeEncoded(part.encode());
  assert.deepEqual(encoded.encode(), all.encode());
  assert.equal(
    all.count,
    parts.reduce((sum, part) => sum + part.count, 0),
  );
  all.reset();
  assert.deepEqual(all.encode(), createHistogram().encode());
});

function sample(): EncodedHistogram {
  const histogram = createHistogram();
  for (const value of [3, 3, 900, 25_000, 1_000_000]) histogram.record(value);
  return histogram.encode();
}

function withBytes(change: (view: DataView) => void): EncodedHistogram {
  const encoded = sample();
  const payload = encoded.payload.slice();
  change(new DataView(payload.buffer));
  return { ...encoded, payload };
}

const malformed: readonly (readonly [string, () => EncodedHistogram, RegExp])[] = [
  ["an empty payload", () => ({ ...sample(), payload: new Uint8Array() }), /less than a header/],
  ["another cookie", () => withBytes((view) => view.setInt32(0, 0x1c849314)), /cookie/],
  ["another length", () => withBytes((view) => view.setInt32(4, 3)), /payload length/],
  ["the library's offset of 1", () => withBytes((view) => view.setInt32(8, 1)), /normalizing offset 1/],
  ["other digits", () => withBytes((view) => view.setInt32(12, 2)), /significant digits/],
  ["another lowest value", () => withBytes((view) => view.setInt32(20, 2)), /lowest value/],
  ["another highest value", () => withBytes((view) => view.setInt32(28, 5)), /highest value/],
  ["the library's ratio", () => withBytes((view) => view.setBigInt64(32, 1n)), /conversion ratio/],
  ["a payload cut off in a word", () => cutOff(), /cut off/],
  ["a word of nine bytes", () => words([255, 255, 255, 255, 255, 255, 255, 255, 255]), /eight bytes/],
  ["a count above 2^53", () => words([254, 255, 255, 255, 255, 255, 255, 127]), /above 2\^53/],
  ["a run past the end", () => words([255, 255, 255, 1, 2]), /more than 23552 buckets/],
  ["another count beside it", () => ({ ...sample(), count: 6 }), /count 6 beside 5/],
  ["a minimum that is not in it", () => ({ ...sample(), min: 5 }), /minimum 5/],
  ["a maximum that is not in it", () => ({ ...sample(), max: 2_000_000 }), /maximum 2000000/],
  ["a sum below what it can be", () => ({ ...sample(), sum: 2 }), /a sum 2/],
  ["a sum that is no number", () => ({ ...sample(), sum: Number.NaN }), /a sum NaN/],
  ["a fraction of a count", () => ({ ...sample(), count: 5.5 }), /count 5.5/],
  ["overflow without a value above an hour", () => ({ ...sample(), count: 6, overflow: 1 }), /overflow 1/],
];

function words(bytes: readonly number[]): EncodedHistogram {
  const payload = new Uint8Array(40 + bytes.length);
  payload.set(sample().payload.subarray(0, 40));
  payload.set(bytes, 40);
  new DataView(payload.buffer).setInt32(4, bytes.length);
  return { ...sample(), payload };
}

function cutOff(): EncodedHistogram {
  return words([0x82]);
}

for (const [name, make, message] of malformed) {
  test(`${name} is refused as malformed, and nothing of it is counted`, () => {
    const histogram = createHistogram();
    histogram.record(1);
    const before = histogram.encode();
    assert.throws(
      () => histogram.mergeEncoded(make()),
      (error) =>
        error instanceof LoadError && error.code === "PROTOCOL_MALFORMED" && message.test(error.message),
    );
    assert.deepEqual(histogram.encode(), before);
  });
}

test("random damage is either refused as malformed or a payload that holds what is said of it", () => {
  const seed = 23;
  const random = seeded(seed);
  for (let i = 0; i < 3000; i += 1) {
    const encoded = sample();
    const payload = encoded.payload.slice(0, random() < 0.3 ? Math.floor(random() * 60) : undefined);
    for (let flips = 1 + random() * 4; flips > 0; flips -= 1) {
      payload[Math.floor(random() * payload.length)] = Math.floor(random() * 256);
    }
    const damaged = { ...encoded, payload };
    try {
      checkEncoded(damaged);
      assert.equal(decodeHistogram(damaged).count, encoded.count);
    } catch (error) {
      assert.ok(error instanceof LoadError && error.code === "PROTOCOL_MALFORMED", `seed ${seed}: ${error}`);
    }
  }
});
