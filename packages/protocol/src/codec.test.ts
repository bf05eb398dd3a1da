import assert from "node:assert/strict";
import { test } from "node:test";
import { type LiveUpdate, LoadError, METRICS, type RunRecord, type Snapshot } from "@tokenstorm/core";
import {
  aFinal,
  aHeartbeat,
  aLedger,
  aPlan,
  aSnapshot,
  property,
  type Random,
  someVitals,
} from "@tokenstorm/testkit";
import { Packr } from "msgpackr";
import { z } from "zod";
import {
  decodeBeacon,
  decodeClockProbe,
  decodeClockReply,
  decodeFinal,
  decodeHeartbeat,
  decodeLive,
  decodeRunRecord,
  decodeSnapshot,
  encodeBeacon,
  encodeClockProbe,
  encodeClockReply,
  encodeFinal,
  encodeHeartbeat,
  encodeLive,
  encodeRunRecord,
  encodeSnapshot,
} from "./codec.js";
import { decodeMessage, encodeMessage, MAX_MESSAGE_BYTES, MESSAGES } from "./envelope.js";
import type { Beacon } from "./messages/index.js";
import { snapshotToMessage } from "./results.js";

const beacon: Beacon = {
  term: 3,
  leader: "host-1",
  leaderInstance: "i-1",
  seq: 12,
  leaderUs: 1_234_567_890_123,
  run: "r1",
  state: "running",
  revision: 9,
  stop: "none",
  confirmed: { a1: { epoch: 1, seq: 7, final: false } },
  resend: { a2: { epoch: 1, seqs: [3, 4], final: true } },
  refused: ["i-9"],
  givenUp: [],
};

const heartbeat = aHeartbeat({
  instance: "i-2",
  host: "host-2",
  pid: 4711,
  cores: 1.5,
  labels: { zone: "a" },
  state: "running",
  run: "r1",
  epoch: 1,
  revision: 9,
  beaconSeq: 12,
  term: 3,
  armedAttempt: 1,
  startErrorUs: -40,
  stage: 0,
  lastCut: 8,
  lastAcked: 7,
  ledger: aLedger,
  vitals: someVitals,
  problem: { code: "TARGET_UNREACHABLE", message: "no", hint: undefined },
});

const live: LiveUpdate = {
  run: "r1",
  name: "plan",
  state: "running",
  transport: "nats",
  runTimeUs: 5_000_000,
  stage: { index: 0, count: 4, name: "u100", phase: "ramp", leftUs: null },
  totalLeftUs: 9,
  inFlight: { asked: 100, measured: 99.5 },
  server: null,
  rates: { requestsPerS: 1.5, outputTokensPerS: 2, promptTokensPerS: 3 },
  latencyUs: {
    ttft: { count: 1, p50: 2, p99: 3 },
    itl: { count: 0, p50: 0, p99: 0 },
    e2e: { count: 1, p50: 2.5, p99: 3 },
  },
  totals: { offered: 5, completed: 3, failed: 1, cancelled: 0, dropped: 1 },
  failures: { "connect-refused": 1 },
  agents: [
    {
      id: "a1",
      host: "h",
      state: "running",
      colour: "green",
      cpu: 0.5,
      loopDelayP99Us: 1,
      scheduleLagP99Us: 2,
      inFlight: 3,
      silentMs: 4,
    },
  ],
  history: { outputTokensPerS: [1, 2], inFlight: [3] },
  notes: ["waiting"],
};

const record: RunRecord = {
  v: 1,
  id: "r1",
  name: "plan",
  createdAtMs: 1_700_000_000_000,
  plan: aPlan({ name: "plan", slos: { ttftMs: 12.5 } }),
  planDigest: "00ff",
  salt: "abc",
  state: "arming",
  term: 1,
  leader: "host-1",
  revision: 4,
  shards: [
    {
      agent: "a1",
      instance: "i",
      epoch: 1,
      index: 0,
      host: "h",
      version: "0.1.0",
      clockOffsetUs: -17,
      clockErrorUs: 3,
    },
  ],
  start: { attempt: 1, committed: true, leaderUs: 1, epochUs: 2, localUs: { a1: -3 } },
  stageStartsUs: [0, null],
  stop: { level: "none", reason: "" },
  problem: null,
  result: null,
};

const probe = { t0: -5, asker: "me" };
const reply = { t0: 1, asker: "me", t1: 2, t2: 3, instance: "i", host: "h", pid: 1 };

/** Every message as bytes, with its decoder. */
const wire: Readonly<Record<string, { readonly bytes: Uint8Array; decode(bytes: Uint8Array): unknown }>> = {
  beacon: { bytes: encodeBeacon(beacon), decode: decodeBeacon },
  heartbeat: { bytes: encodeHeartbeat(heartbeat), decode: decodeHeartbeat },
  clockProbe: { bytes: encodeClockProbe(probe), decode: decodeClockProbe },
  clockReply: { bytes: encodeClockReply(reply), decode: decodeClockReply },
  snapshot: { bytes: encodeSnapshot(aSnapshot()), decode: decodeSnapshot },
  final: { bytes: encodeFinal(aFinal()), decode: decodeFinal },
  live: { bytes: encodeLive(live), decode: decodeLive },
  run: { bytes: encodeRunRecord(record), decode: decodeRunRecord },
};

test("every message comes back as it was sent", () => {
  assert.deepEqual(decodeBeacon(encodeBeacon(beacon)), beacon);
  const { problem, ...rest } = decodeHeartbeat(encodeHeartbeat(heartbeat));
  assert.deepEqual({ ...rest, problem: { ...problem, hint: undefined } }, heartbeat);
  assert.deepEqual(decodeClockProbe(encodeClockProbe(probe)), probe);
  assert.deepEqual(decodeClockReply(encodeClockReply(reply)), reply);
  assert.deepEqual(decodeFinal(encodeFinal(aFinal())), aFinal());
  assert.deepEqual(decodeLive(encodeLive(live)), live);
  // `live` is as an older leader writes it; a newer one says more.
  const sums = { count: 3, sum: 1500.5 };
  const stage = {
    index: 0,
    name: "u2",
    ...{ offered: 3, completed: 1, failed: 1, cancelled: 0, dropped: 0, unknown: 0, censored: 1 },
    ...{ outputTokens: 7, promptTokens: 5 },
    latencyUs: { ttft: sums, itl: sums, e2e: sums },
  };
  const ttft = { ...live.latencyUs.ttft, p90: 12 };
  const newer = { ...live, latencyUs: { ...live.latencyUs, ttft }, stages: [stage], measuredStage: 0 };
  assert.deepEqual(decodeLive(encodeLive(newer)), newer);
  assert.deepEqual(decodeRunRecord(encodeRunRecord(record)), record);
});

test("a snapshot's payloads are raw on both sides and deflated between them", () => {
  const snapshot = aSnapshot();
  const back = decodeSnapshot(encodeSnapshot(snapshot));
  for (const metric of METRICS) {
    const [sent, got] = [snapshot.blocks[0]?.histograms[metric], back.blocks[0]?.histograms[metric]];
    assert.deepEqual(
      got === undefined ? got : { ...got, payload: [...got.payload] },
      sent && { ...sent, payload: [...sent.payload] },
    );
  }
  assert.deepEqual({ ...back, blocks: [] }, { ...snapshot, blocks: [] });
  assert.deepEqual(back.blocks[0]?.due, snapshot.blocks[0]?.due);
});

test("a target's part of a block comes back as it was sent", () => {
  const plain = ({ blocks }: Snapshot) =>
    blocks[0]?.targets?.map((part) => ({
      ...part,
      ttft: [...(part.histograms.ttft?.payload ?? [])],
      e2e: [...(part.histograms.e2e?.payload ?? [])],
      histograms: Object.keys(part.histograms).sort(),
    }));
  const snapshot = aSnapshot();
  assert.deepEqual(plain(decodeSnapshot(encodeSnapshot(snapshot))), plain(snapshot));
});

test("a member's part of a block comes back as it was sent, and without its histograms from who is older", () => {
  const [block] = aSnapshot().blocks;
  assert.ok(block !== undefined);
  const counts = {
    ...{
      member: 1,
      offered: 5,
      completed: 4,
      failed: 1,
      promptTokens: 40,
      cachedPromptTokens: 0,
      outputTokens: 20,
    },
    ...{ askedPromptTokens: 40, askedOutputTokens: 20, promptsOfUnknownLength: 0 },
    ...{ images: 0, imageTokens: 0, imageTokensTold: 0 },
  };
  const { ttft, e2e } = block.histograms;
  assert.ok(ttft !== undefined && e2e !== undefined);
  const sent = aSnapshot({ blocks: [{ ...block, work: [{ ...counts, histograms: { ttft, e2e } }] }] });
  const [read] = decodeSnapshot(encodeSnapshot(sent)).blocks;
  const plain = (one: typeof ttft | undefined) => ({ ...one, payload: [...(one?.payload ?? [])] });
  const { histograms, ...others } = read?.work?.[0] ?? assert.fail("no work came back");
  assert.deepEqual(others, counts);
  assert.deepEqual([plain(histograms?.ttft), plain(histograms?.e2e)], [plain(ttft), plain(e2e)]);
  const older = aSnapshot({ blocks: [{ ...block, work: [counts] }] });
  assert.deepEqual(decodeSnapshot(encodeSnapshot(older)).blocks[0]?.work, [counts]);
});

test("a snapshot is read by readers of the first version, and theirs by ours", () => {
  const [block] = snapshotToMessage(aSnapshot()).blocks;
  assert.ok(block !== undefined);
  // The first version refuses a histogram whose name it does not know, and passes over any other field.
  assert.deepEqual(
    Object.keys(block.histograms).filter((name) => !METRICS.slice(0, 16).some((metric) => metric === name)),
    [],
  );
  assert.deepEqual(Object.keys(block.laterHistograms ?? {}), ["firstEvent", "failedService"]);
  const { laterHistograms: _, targets: __, due, ...first } = block;
  const { finish: ___, ...firstDue } = due;
  const old = { ...snapshotToMessage(aSnapshot()), blocks: [{ ...first, due: firstDue }] };
  const [read] = decodeSnapshot(encodeMessage({ type: "snapshot", schema: z.unknown() }, old)).blocks;
  assert.deepEqual(
    [read?.due.finish, read?.targets, read?.histograms.firstEvent],
    [{}, undefined, undefined],
  );
});

test("a number that is not finite is a bug of the sender", () => {
  assert.throws(
    () => encodeLive({ ...live, rates: { ...live.rates, requestsPerS: Number.NaN } }),
    /live\.rates\.requestsPerS is NaN/,
  );
});

test("a message over the limit is refused by who sends it and by who gets it", () => {
  const large = { ...live, notes: [], name: "", failures: {}, run: "r" };
  assert.throws(
    () =>
      encodeMessage(
        { type: "live", schema: MESSAGES.live.schema },
        { ...large, name: "x".repeat(MAX_MESSAGE_BYTES) },
      ),
    { code: "PROTOCOL_MALFORMED" },
  );
  assert.throws(() => decodeLive(new Uint8Array(MAX_MESSAGE_BYTES + 1)), {
    code: "PROTOCOL_MALFORMED",
    message: /over the limit/,
  });
  assert.throws(() => decodeMessage(MESSAGES.beacon, encodeBeacon(beacon), { maxBytes: 10 }), {
    message: /over the limit of 10/,
  });
});

const packr = new Packr({ useRecords: false });
const envelope = (body: unknown, more: object = {}) =>
  Uint8Array.from(packr.pack({ v: 1, type: "beacon", body, ...more }));

test("what is wrong is named by its field", () => {
  const cases: readonly (readonly [Uint8Array, string, RegExp])[] = [
    [envelope({ ...beacon, term: 1.5 }), "PROTOCOL_MALFORMED", /beacon.*: term: /],
    [envelope({ ...beacon, term: 2 ** 53 }), "PROTOCOL_MALFORMED", /term: /],
    [envelope({ ...beacon, leaderUs: Number.POSITIVE_INFINITY }), "PROTOCOL_MALFORMED", /leaderUs: /],
    [envelope({ ...beacon, leader: "a.b" }), "PROTOCOL_MALFORMED", /leader: is no id/],
    [envelope({ ...beacon, leader: "constructor" }), "PROTOCOL_MALFORMED", /leader: is no id/],
    [envelope({ ...beacon, stop: "now" }), "PROTOCOL_MALFORMED", /stop: /],
    [
      envelope({ ...beacon, confirmed: { a1: { epoch: -1, seq: 1, final: true } } }),
      "PROTOCOL_MALFORMED",
      /confirmed\.a1\.epoch: /,
    ],
    [
      envelope({ ...beacon, confirmed: { "a.*": { epoch: 1, seq: 1, final: true } } }),
      "PROTOCOL_MALFORMED",
      /confirmed/,
    ],
    [envelope({ ...beacon, givenUp: ["x", 7] }), "PROTOCOL_MALFORMED", /givenUp\.1: /],
    [envelope("text"), "PROTOCOL_MALFORMED", /the body: /],
    [envelope(undefined), "PROTOCOL_MALFORMED", /plain data|body/],
    [envelope(beacon, { v: 2 }), "PROTOCOL_UNSUPPORTED_VERSION", /version 2; this one speaks 1/],
    [envelope(beacon, { v: "1" }), "PROTOCOL_MALFORMED", /v: is no version/],
    [envelope(beacon, { type: "heartbeat" }), "PROTOCOL_MALFORMED", /type: /],
    [Uint8Array.from(packr.pack([1, 2])), "PROTOCOL_MALFORMED", /v: is missing/],
    [new Uint8Array(0), "PROTOCOL_MALFORMED", /ends in the middle/],
    [Uint8Array.from([...encodeBeacon(beacon), 0]), "PROTOCOL_MALFORMED", /bytes after its end/],
  ];
  for (const [bytes, code, message] of cases)
    assert.throws(() => decodeBeacon(bytes), { name: "LoadError", code, message });
});

test("nothing but plain data is built: no extension, no record, no other object", () => {
  const loose = new Packr({ useRecords: true, moreTypes: true, structuredClone: true });
  for (const odd of [
    new Date(),
    new Set([1]),
    new Map([["v", 1]]),
    /x/,
    new Error("x"),
    2n ** 70n,
    new Float64Array(2),
    { v: 1 },
  ])
    assert.throws(() => decodeBeacon(Uint8Array.from(loose.pack({ v: 1, type: "beacon", body: odd }))), {
      code: "PROTOCOL_MALFORMED",
    });
  const deep = Uint8Array.from({ length: 100_000 }, () => 0x91);
  assert.throws(() => decodeBeacon(deep), { code: "PROTOCOL_MALFORMED", message: /deeper/ });
  const claims = Uint8Array.from([0xdd, 0xff, 0xff, 0xff, 0xff, 0x01]);
  assert.throws(() => decodeBeacon(claims), { code: "PROTOCOL_MALFORMED" });
  const many = new Uint8Array(MAX_MESSAGE_BYTES).fill(0x01);
  many.set([0xdd, 0x00, 0x0f, 0xff, 0xfb]);
  assert.throws(() => decodeBeacon(many), { code: "PROTOCOL_MALFORMED", message: /more than 300000 values/ });
});

test("keys that would reach a prototype change nothing and name nobody", () => {
  const hostile: unknown = JSON.parse('{"__proto__": {"epoch": 1, "seq": 1, "final": true}}');
  for (const confirmed of [hostile, { constructor: { epoch: 1, seq: 1, final: true } }]) {
    let decoded: Beacon | undefined;
    try {
      decoded = decodeBeacon(envelope({ ...beacon, confirmed }));
    } catch (error) {
      assert.ok(error instanceof LoadError);
    }
    assert.equal(Object.hasOwn(Object.prototype, "epoch"), false);
    assert.equal(decoded === undefined ? undefined : Reflect.get(decoded.confirmed, "epoch"), undefined);
  }
  const top: unknown = JSON.parse('{"v":1,"type":"beacon","__proto__":{"body":{}}}');
  assert.throws(() => decodeBeacon(Uint8Array.from(packr.pack(top))), { code: "PROTOCOL_MALFORMED" });
});

/** Changes, cuts, doubles or swaps a few bytes. */
function damage(random: Random, bytes: Uint8Array): Uint8Array {
  const copy = [...bytes];
  for (let times = random.int(1, 6); times > 0; times -= 1) {
    const at = random.int(0, Math.max(0, copy.length - 1));
    const how = random.int(0, 4);
    if (how === 0) copy[at] = random.int(0, 255);
    else if (how === 1) copy.splice(at, random.int(1, 20));
    else if (how === 2) copy.splice(at, 0, ...random.bytes(random.int(1, 8)));
    else if (how === 3) copy.length = at;
    else copy[at] = random.pick([0xc1, 0xc7, 0xd4, 0x72, 0xdd, 0xdf, 0xcb, 0xcf, 0xc0, 0x80, 0xff]);
  }
  return Uint8Array.from(copy);
}

property("damaged and random bytes give a LoadError or a message, never anything else", 4000, (random) => {
  const kind = random.pick(Object.keys(wire));
  const { bytes, decode } = wire[kind] ?? assert.fail(kind);
  const hostile = random.bool(0.15) ? random.bytes(random.int(0, 400)) : damage(random, bytes);
  try {
    decode(hostile);
  } catch (error) {
    assert.ok(error instanceof LoadError, `${kind}: ${String(error)}`);
    assert.ok(error.code.startsWith("PROTOCOL_"), error.code);
    assert.ok(error.message.length < 600, error.message);
  }
});

test("how many losses are told as one survives the record, and records of before have none", () => {
  const loss = { agent: "a1", epoch: 3, lastHeardUs: 1, lostUs: 2, reason: "silent", foundUs: 3 };
  const losses = [{ ...loss, times: 7 }, loss];
  assert.deepEqual(decodeRunRecord(encodeRunRecord({ ...record, losses })).losses, losses);
});
