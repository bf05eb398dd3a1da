import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { inflateSync } from "node:zlib";
import { createHistogram, decodeHistogram, type EncodedHistogram } from "@tokenstorm/core";

/** Where each file comes from stands in ORIGIN.md beside it. */
const folder = fileURLToPath(new URL("../../golden/hdr/", import.meta.url));

type Counts = readonly (readonly [value: number, times: number])[];

const lines = (file: string): string[][] =>
  readFileSync(join(folder, file), "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => line.split("\t"));

const counts = (text = ""): Counts =>
  text === ""
    ? []
    : text.split(",").map((pair) => {
        const [value, times] = pair.split(":").map(Number);
        return [value ?? Number.NaN, times ?? Number.NaN];
      });

/** The payload within the compressed form: cookie, length, zlib stream. */
function payload(base64 = ""): Uint8Array {
  const envelope = Buffer.from(base64, "base64");
  assert.equal(envelope.readInt32BE(0), 0x1c849314);
  assert.equal(envelope.readInt32BE(4), envelope.length - 8);
  return inflateSync(envelope.subarray(8));
}

const recorded = new Map(lines("recorded.tsv").map(([name = "", text]) => [name, counts(text)]));
const ours = new Map(lines("ours.tsv").map(([name = "", base64]) => [name, payload(base64)]));

/** The bucket's lowest value, from the specification alone: 2048 values of one unit, then 1024 for each doubling. */
function lowestIn(value: number): number {
  const unit = 2 ** Math.max(0, Math.floor(Math.log2(Math.max(1, value))) - 10);
  return Math.floor(value / unit) * unit;
}

function byBucket(values: Counts): Counts {
  const buckets = new Map<number, number>();
  for (const [value, times] of values) {
    buckets.set(lowestIn(value), (buckets.get(lowestIn(value)) ?? 0) + times);
  }
  return [...buckets];
}

function encodedOf(values: Counts, bytes: Uint8Array): EncodedHistogram {
  return {
    count: values.reduce((sum, [, times]) => sum + times, 0),
    sum: values.reduce((sum, [value, times]) => sum + value * times, 0),
    min: values[0]?.[0] ?? 0,
    max: values.at(-1)?.[0] ?? 0,
    overflow: 0,
    payload: bytes,
  };
}

test("what is recorded today is encoded as in the golden files, byte for byte", () => {
  assert.ok(recorded.size >= 10);
  assert.deepEqual([...ours.keys()], [...recorded.keys()]);
  for (const [name, values] of recorded) {
    const histogram = createHistogram();
    for (const [value, times] of values) histogram.record(value, times);
    assert.deepEqual(Buffer.from(histogram.encode().payload), Buffer.from(ours.get(name) ?? []), name);
  }
});

for (const [file, implementation] of [
  ["java.tsv", "HdrHistogram for Java"],
  ["go.tsv", "hdrhistogram-go"],
] as const) {
  const of = (kind: string) =>
    new Map(
      lines(file)
        .filter(([word]) => word === kind)
        .map(([, name = "", text]) => [name, text]),
    );

  test(`${implementation} reads our payloads count for count`, () => {
    const reads = of("reads");
    assert.deepEqual([...reads.keys()], [...recorded.keys()]);
    for (const [name, values] of recorded) assert.deepEqual(counts(reads.get(name)), byBucket(values), name);
  });

  test(`we read the payloads of ${implementation} count for count, and would write the same bytes`, () => {
    const [writes, found] = [of("writes"), of("counts")];
    assert.deepEqual([...writes.keys()], [...recorded.keys()]);
    for (const [name, values] of recorded) {
      const theirs = payload(writes.get(name));
      const histogram = decodeHistogram(encodedOf(values, theirs));
      let below = 0;
      for (const [value, times] of counts(found.get(name))) {
        assert.equal(histogram.countAtOrBelow(value - 1), below, `${name}: below ${value}`);
        below += times;
        assert.equal(histogram.countAtOrBelow(value), below, `${name}: up to ${value}`);
      }
      assert.equal(below, histogram.count, name);
      assert.deepEqual(Buffer.from(ours.get(name) ?? []), Buffer.from(theirs), name);
    }
  });
}
