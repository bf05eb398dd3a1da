import assert from "node:assert/strict";
import { test } from "node:test";
import { deflateSync } from "node:zlib";
import { type EncodedHistogram, LoadError } from "@tokenstorm/core";
import { aBlock, aFinal, aSnapshot, property } from "@tokenstorm/testkit";
import { encodeFinal, encodeSnapshot } from "./codec.js";
import { deflatePayload, inflatePayload } from "./compressed-histogram.js";
import {
  decodeResult,
  finalFromJson,
  lineToResult,
  resultToLine,
  snapshotFromJson,
  snapshotToJson,
} from "./results.js";

const UNREADABLE = { name: "LoadError", code: "RESULTS_UNREADABLE" };

/** Buffers and plain byte arrays alike. */
const comparable = (value: unknown): unknown =>
  JSON.parse(JSON.stringify(value, (_, item) => (item?.type === "Buffer" ? item.data : item)));

const bytesOf = (snapshot: ReturnType<typeof aSnapshot>) =>
  comparable({
    ...snapshot,
    blocks: snapshot.blocks.map((block) => ({
      ...block,
      histograms: payloadsOf(block.histograms),
      targets: block.targets?.map((target) => ({ ...target, histograms: payloadsOf(target.histograms) })),
    })),
  });

const payloadsOf = (histograms: Readonly<Record<string, EncodedHistogram>>) =>
  Object.entries(histograms).map(([metric, one]) => [metric, { ...one, payload: [...one.payload] }]);

test("a line of results comes back as it was, and its payloads begin with HISTF", () => {
  const snapshot = aSnapshot();
  const line = resultToLine({ kind: "snapshot", snapshot });
  assert.ok(!line.includes("\n"));
  assert.match(line, /^\{"kind":"snapshot"/);
  assert.match(snapshotToJson(snapshot).blocks[0]?.histograms.ttft?.payload ?? "", /^HISTF/);
  const back = lineToResult(line);
  assert.ok(back.kind === "snapshot");
  assert.deepEqual(bytesOf(back.snapshot), bytesOf(snapshot));
  assert.deepEqual(lineToResult(resultToLine({ kind: "final", final: aFinal() })), {
    kind: "final",
    final: aFinal(),
  });
});

test("a final of an agent that does not say which users started is read all the same", () => {
  const { usersStarted: _, ...older } = aFinal();
  const line = JSON.stringify({ kind: "final", ...older });
  assert.deepEqual(lineToResult(line), { kind: "final", final: older });
  assert.deepEqual(decodeResult("final", encodeFinal(older)).result, { kind: "final", final: older });
});

test("a result that came over the wire gives the line that its sender would have written", () => {
  const snapshot = aSnapshot();
  const { result, line } = decodeResult("snapshot", encodeSnapshot(snapshot));
  assert.ok(result.kind === "snapshot");
  assert.deepEqual(bytesOf(result.snapshot), bytesOf(snapshot));
  assert.equal(line, resultToLine({ kind: "snapshot", snapshot }));
  const final = decodeResult("final", encodeFinal(aFinal()));
  assert.deepEqual(final.result, { kind: "final", final: aFinal() });
  assert.equal(final.line, resultToLine({ kind: "final", final: aFinal() }));
  assert.throws(() => decodeResult("final", encodeSnapshot(snapshot)), { code: "PROTOCOL_MALFORMED" });
});

test("a line that is none is refused, naming what is wrong", () => {
  const good: Record<string, unknown> = JSON.parse(resultToLine({ kind: "snapshot", snapshot: aSnapshot() }));
  const cases: readonly (readonly [string, RegExp])[] = [
    ["", /no JSON/],
    ["{", /no JSON/],
    ["null", /the body/],
    ["[]", /the body|kind/],
    [JSON.stringify({ ...good, kind: "event" }), /kind: /],
    [JSON.stringify({ ...good, seq: -1 }), /seq: /],
    [JSON.stringify({ ...good, toUs: 1.5 }), /toUs: /],
    [JSON.stringify({ ...good, vitals: { ...aSnapshot().vitals, cpu: null } }), /vitals\.cpu: /],
    [
      JSON.stringify({
        ...good,
        blocks: [{ ...aBlock(), histograms: { ttft: { ...aBlock().histograms.ttft, payload: "AAAA" } } }],
      }),
      /ttft\.payload/,
    ],
    [JSON.stringify({ ...good, blocks: [{ ...aBlock(), histograms: { ttfb: {} } }] }), /histograms/],
    [JSON.stringify(good).slice(0, -20), /no JSON/],
  ];
  for (const [line, message] of cases) assert.throws(() => lineToResult(line), { ...UNREADABLE, message });
  assert.throws(() => snapshotFromJson(undefined), UNREADABLE);
  assert.throws(() => finalFromJson({ ...aFinal(), samplesRecorded: 2 ** 60 }), UNREADABLE);
});

test("histograms that are equal in a line are read as what they are, each with its own figures", () => {
  const [block] = aSnapshot().blocks;
  const ttft = block?.histograms.ttft;
  assert.ok(block !== undefined && ttft !== undefined);
  const histograms = { ttft, firstContent: { ...ttft, max: ttft.max + 1 } };
  const snapshot = { ...aSnapshot(), blocks: [block, { ...block, histograms }] };
  const back = lineToResult(resultToLine({ kind: "snapshot", snapshot }));
  assert.ok(back.kind === "snapshot");
  assert.deepEqual(bytesOf(back.snapshot), bytesOf(snapshot));
});

test("a payload is base64 to the letter", () => {
  const line = snapshotToJson(aSnapshot());
  const good = line.blocks[0]?.histograms.ttft?.payload ?? "";
  const read = (payload: string) => {
    const [block] = line.blocks;
    const histograms = { ttft: { ...block?.histograms.ttft, payload } };
    return snapshotFromJson({ ...line, blocks: [{ ...block, histograms }] });
  };
  assert.equal(read(good).blocks[0]?.histograms.ttft?.count, aBlock().histograms.ttft?.count);
  const bad = [
    good.slice(1),
    `${good}=`,
    `${good}A===`,
    ` ${good.slice(1)}`,
    `${good}A=AA`,
    `-${good.slice(1)}`,
    "====",
  ];
  for (const payload of bad) {
    assert.throws(
      () => read(payload),
      { ...UNREADABLE, message: /ttft\.payload: is no base64/ },
      payload.slice(-9),
    );
  }
});

test("an envelope holds cookie, length and a zlib stream, and nothing else is taken", () => {
  const raw = aBlock().histograms.ttft?.payload ?? assert.fail("no payload");
  const envelope = deflatePayload(raw);
  const view = new DataView(envelope.buffer, envelope.byteOffset);
  assert.equal(view.getUint32(0), 0x1c849314);
  assert.equal(view.getInt32(4), envelope.length - 8);
  assert.deepEqual([...inflatePayload(envelope, "x")], [...raw]);
  const other = (change: (bytes: Uint8Array, view: DataView) => void) => {
    const copy = envelope.slice();
    change(copy, new DataView(copy.buffer));
    return copy;
  };
  const bomb = deflateSync(new Uint8Array(10_000_000));
  const cases: readonly (readonly [Uint8Array, RegExp])[] = [
    [new Uint8Array(3), /field: 3 bytes/],
    [other((_, data) => data.setUint32(0, 0x1c849313)), /field: is no compressed histogram/],
    [other((_, data) => data.setInt32(4, 5)), /field: says 5 bytes/],
    [other((bytes) => bytes.fill(7, 12)), /field: cannot be inflated/],
    [
      Uint8Array.from([
        0x1c,
        0x84,
        0x93,
        0x14,
        ...new Uint8Array(Uint32Array.of(bomb.length).buffer).reverse(),
        ...bomb,
      ]),
      /cannot be inflated/,
    ],
  ];
  for (const [bytes, message] of cases)
    assert.throws(() => inflatePayload(bytes, "field"), { code: "PROTOCOL_MALFORMED", message });
});

property("a damaged line gives RESULTS_UNREADABLE or a result, never anything else", 1500, (random) => {
  const line =
    random.int(0, 1) === 0
      ? resultToLine({ kind: "final", final: aFinal() })
      : resultToLine({ kind: "snapshot", snapshot: aSnapshot({ blocks: [aBlock(20)] }) });
  const at = random.int(0, line.length - 1);
  const damaged =
    line.slice(0, at) +
    random.pick(["", "0", "-", "e9", '"', "}", "null,"]) +
    line.slice(at + random.int(0, 3));
  try {
    lineToResult(damaged);
  } catch (error) {
    assert.ok(error instanceof LoadError && error.code === "RESULTS_UNREADABLE", String(error));
  }
});
