// Writes what the other implementations of HDR histograms are given: recorded.tsv (name, and value:times as often as
// there are values) and ours.tsv (name, compressed V2 payload in base64), both in the folder named: node
// scripts/golden-hdr.mjs FOLDER. Called by golden-hdr.sh; needs a build. The same values come out every time.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { createHistogram } from "../packages/core/dist/index.js";
import { logUniform, seeded } from "../packages/core/dist/measure/testing/seeded.js";
import { deflatePayload } from "../packages/protocol/dist/compressed-histogram.js";

const HOUR_US = 3_600_000_000;

/** Name -> values with how often each was recorded, by ascending value. */
const recordings = {
  nothing: [],
  zero: [[0, 2]],
  one: [[1, 1]],
  "an hour": [[HOUR_US, 1]],
  "both ends": [
    [0, 3],
    [HOUR_US, 5],
  ],
  "neighbours of every power of two": aroundPowers(),
  "every value up to 4999": Array.from({ length: 5000 }, (_, value) => [value, 1 + (value % 3)]),
  "first tokens about 250 ms": drawn(1500, (random) =>
    Math.round(250_000 * (0.6 + 0.8 * random() * random())),
  ),
  "gaps about 20 ms": drawn(4000, (random) =>
    Math.round(20_000 + 900 * (random() + random() + random() - 1.5)),
  ),
  "all orders of magnitude": drawn(2000, (random) => logUniform(random, HOUR_US)),
  "counts beyond 32 bits": [
    [1, 3],
    [1000, 2 ** 40],
    [70_000, 2 ** 33 + 1],
  ],
};

const folder = process.argv[2];
if (folder === undefined) throw new Error("usage: golden-hdr.mjs FOLDER");
const recorded = [];
const ours = [];
for (const [name, pairs] of Object.entries(recordings)) {
  recorded.push(`${name}\t${pairs.map(([value, times]) => `${value}:${times}`).join(",")}`);
  ours.push(`${name}\t${Buffer.from(deflatePayload(encoded(pairs))).toString("base64")}`);
}
writeFileSync(join(folder, "recorded.tsv"), `${recorded.join("\n")}\n`);
writeFileSync(join(folder, "ours.tsv"), `${ours.join("\n")}\n`);

/** Recorded in three parts that are merged, two of them encoded: the payloads that people see are merged ones. */
function encoded(pairs) {
  const parts = [createHistogram(), createHistogram(), createHistogram()];
  pairs.forEach(([value, times], i) => {
    parts[i % 3].record(value, times);
  });
  parts[0].merge(parts[1]);
  parts[0].mergeEncoded(parts[2].encode());
  return parts[0].encode().payload;
}

function aroundPowers() {
  const values = new Set();
  for (let power = 1; 2 ** power + 1 < HOUR_US; power++) {
    for (const offset of [-1, 0, 1]) values.add(2 ** power + offset);
  }
  return [...values].sort((a, b) => a - b).map((value, i) => [value, i + 1]);
}

function drawn(size, draw) {
  const random = seeded(size);
  const times = new Map();
  for (let i = 0; i < size; i++) {
    const value = draw(random);
    times.set(value, (times.get(value) ?? 0) + 1);
  }
  return [...times].sort(([a], [b]) => a - b);
}
