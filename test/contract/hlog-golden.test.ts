import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { inflateSync } from "node:zlib";
import { createHistogram, type Histogram } from "@tokenstorm/core";

/** Where each file comes from stands in ORIGIN.md beside it. */
const folder = fileURLToPath(new URL("../../golden/hlog/", import.meta.url));
const read = (name: string) => readFileSync(join(folder, name), "utf8");

interface Sum {
  lines: number;
  fromMs: number;
  toMs: number;
  readonly histogram: Histogram;
}

/** A reader of the format, apart from the writer: sums the lines of each tag. */
function sumsOf(log: string): Map<string, Sum> {
  const baseMs = 1000 * Number(/#\[BaseTime: ([0-9.]+)/.exec(log)?.[1]);
  const sums = new Map<string, Sum>();
  for (const line of log.split("\n")) {
    const [, tag, start, length, , base64] = /^Tag=([^,]+),([^,]+),([^,]+),([^,]+),(\S+)$/.exec(line) ?? [];
    if (tag === undefined) {
      assert.match(line, /^#\[|^"StartTimestamp"|^$/, "every other line is a comment or the legend");
      continue;
    }
    const envelope = Buffer.from(base64 ?? "", "base64");
    const payload = inflateSync(envelope.subarray(8));
    const sum = sums.get(tag) ?? { lines: 0, fromMs: Infinity, toMs: 0, histogram: createHistogram() };
    const fromMs = baseMs + 1000 * Number(start);
    sum.lines += 1;
    sum.fromMs = Math.min(sum.fromMs, fromMs);
    sum.toMs = Math.max(sum.toMs, fromMs + 1000 * Number(length));
    addTo(sum.histogram, payload);
    sums.set(tag, sum);
  }
  return sums;
}

/** Counts of a payload; the log does not carry the exact extremes that stand beside it. */
function addTo(histogram: Histogram, payload: Uint8Array): void {
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
  let bucket = 0;
  for (let at = 40; at < payload.length; ) {
    let word = 0;
    for (let shift = 0; ; shift += 7, at += 1) {
      const byte = view.getUint8(at);
      word += (byte & 127) * 2 ** shift;
      if (byte < 128) break;
    }
    at += 1;
    if (word % 2 === 1) bucket += (word + 1) / 2;
    else {
      if (word > 0) histogram.record(lowestIn(bucket), word / 2);
      bucket += 1;
    }
  }
}

/** 2048 buckets of one unit, then 1024 for each doubling. */
function lowestIn(bucket: number): number {
  if (bucket < 2048) return bucket;
  const shift = Math.floor(bucket / 1024) - 1;
  return (bucket - shift * 1024) * 2 ** shift;
}

const sums = sumsOf(read("ours.hlog"));

for (const reader of ["java.tsv", "python.tsv"]) {
  test(`our log says to ${reader.replace(".tsv", "")} what it says to us`, () => {
    const rows = read(reader).trimEnd().split("\n");
    assert.equal(rows.length, sums.size);
    for (const row of rows) {
      const [tag = "", ...figures] = row.split("\t");
      const [lines, fromMs, toMs, count, min, p50, p99] = figures.map(Number);
      const sum = sums.get(tag);
      assert.ok(sum !== undefined, tag);
      assert.deepEqual(
        {
          lines: sum.lines,
          fromMs: sum.fromMs,
          toMs: sum.toMs,
          count: sum.histogram.count,
          min: sum.histogram.min,
        },
        { lines, fromMs, toMs, count, min },
        tag,
      );
      // Theirs is the highest value of the bucket; ours, capped at what was recorded here, its lowest at the top.
      for (const [at, theirs] of [
        [50, p50],
        [99, p99],
      ] as const) {
        const ours = sum.histogram.percentile(at) ?? 0;
        assert.ok(
          ours <= (theirs ?? 0) && ours >= (theirs ?? 0) * 0.999 - 1,
          `${tag} p${at}: ${ours}, ${theirs}`,
        );
      }
    }
  });
}

test("the log is what is written today", async () => {
  const script: { goldenLog(): string[] } = await import(
    new URL("../../../scripts/golden-hlog.mjs", import.meta.url).href
  );
  const today = `${script.goldenLog().join("\n")}\n`;
  // Another zlib may pack the same payload otherwise.
  const unpacked = (log: string) =>
    log.replace(/,(HIST\S+)$/gm, (_, base64: string) =>
      inflateSync(Buffer.from(base64, "base64").subarray(8)).toString("hex"),
    );
  assert.equal(unpacked(today), unpacked(read("ours.hlog")));
});
