import assert from "node:assert/strict";
import { test } from "node:test";
import { SseParser, type SseVerdict } from "./sse-parser.js";

interface Read {
  readonly data: readonly string[];
  readonly verdict: SseVerdict;
  readonly hasPartial: boolean;
}

function parse(chunks: readonly (string | Uint8Array)[], maxEventBytes?: number): Read {
  const data: string[] = [];
  const parser = new SseParser(
    { onFrame: (bytes, from, to) => data.push(bytes.toString("utf8", from, to)) > 0 },
    maxEventBytes,
  );
  let verdict: SseVerdict = "ok";
  for (const chunk of chunks) {
    verdict = parser.push(typeof chunk === "string" ? Buffer.from(chunk) : chunk);
    if (verdict !== "ok") break;
  }
  return { data, verdict, hasPartial: parser.hasPartial };
}

const STREAMS: readonly { name: string; bytes: string; data: readonly string[]; partial?: boolean }[] = [
  { name: "one event", bytes: 'data: {"a":1}\n\n', data: ['{"a":1}'] },
  { name: "several events", bytes: "data: a\n\ndata: b\n\ndata: [DONE]\n\n", data: ["a", "b", "[DONE]"] },
  { name: "no space after the colon", bytes: "data:a\n\ndata:b\n\n", data: ["a", "b"] },
  { name: "only one space is taken away", bytes: "data:  a \n\n", data: [" a "] },
  { name: "CRLF line ends", bytes: "data: a\r\n\r\ndata: b\r\n\r\n", data: ["a", "b"] },
  { name: "CR line ends", bytes: "data: a\r\rdata: b\r\r", data: ["a", "b"] },
  {
    name: "mixed line ends",
    bytes: "data: a\r\n\ndata: b\n\r\ndata: c\r\rdata: d\n\n",
    data: ["a", "b", "c", "d"],
  },
  { name: "a CR inside a line that ends in LF", bytes: "data: a\rdata: b\n\n", data: ["a\nb"] },
  { name: "several data lines", bytes: "data: {\ndata: }\n\ndata: x\n\n", data: ["{\n}", "x"] },
  { name: "comments", bytes: ": ping\n\n:\ndata: a\n: in between\n\n: end\n\n", data: ["a"] },
  { name: "other fields", bytes: "event: m\nid: 7\nretry: 9\ndata: a\n\nevent: only\n\n", data: ["a"] },
  { name: "fields that only begin like data", bytes: "database: a\n\ndat: b\n\ndata: c\n\n", data: ["c"] },
  { name: "a data field without a colon", bytes: "data\n\ndata\ndata\n\n", data: ["", "\n"] },
  { name: "empty data", bytes: "data:\n\ndata: \n\n", data: ["", ""] },
  { name: "more empty lines than needed", bytes: "\n\n\ndata: a\n\n\n\ndata: b\n\n", data: ["a", "b"] },
  { name: "a byte order mark", bytes: "\uFEFFdata: a\n\ndata: b\n\n", data: ["a", "b"] },
  { name: "text beyond ASCII", bytes: "data: grün 東京 🌩\n\ndata: é\n\n", data: ["grün 東京 🌩", "é"] },
  { name: "an event without its empty line", bytes: "data: a\n\ndata: b\n", data: ["a"], partial: true },
  { name: "half a line", bytes: "data: a\n\ndat", data: ["a"], partial: true },
];

for (const { name, bytes, data, partial = false } of STREAMS) {
  test(`SSE: ${name}, whole and cut at every byte`, () => {
    const whole = Buffer.from(bytes);
    assert.deepEqual(parse([whole]), { data, verdict: "ok", hasPartial: partial });
    for (let cut = 0; cut <= whole.length; cut++) {
      const read = parse([whole.subarray(0, cut), whole.subarray(cut)]);
      assert.deepEqual(read, { data, verdict: "ok", hasPartial: partial }, `cut at byte ${cut}`);
    }
    const single = Array.from(whole, (_, at) => whole.subarray(at, at + 1));
    assert.deepEqual(parse(single), { data, verdict: "ok", hasPartial: partial }, "byte by byte");
  });
}

test("random streams read the same for any cuts", () => {
  const seed = 20_26;
  let state = seed;
  const below = (n: number) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * n);
  };
  const parts = [
    "data: x\n",
    "data:é\r\n",
    "data\n",
    ": c\n",
    "\n",
    "\r\n",
    "\r",
    "event: e\n",
    "データ",
    "data: ",
  ];
  for (let round = 0; round < 500; round++) {
    const bytes = Buffer.from(
      Array.from({ length: 1 + below(12) }, () => parts[below(parts.length)]).join(""),
    );
    const whole = parse([bytes]);
    const cuts = Array.from({ length: 3 }, () => below(bytes.length + 1)).sort((a, b) => a - b);
    const chunks = [0, ...cuts].map((from, i) => bytes.subarray(from, cuts[i] ?? bytes.length));
    assert.deepEqual(
      parse(chunks),
      whole,
      `seed ${seed}, round ${round}, cuts ${cuts}: ${JSON.stringify(bytes.toString())}`,
    );
  }
});

test("plain Uint8Arrays are read like Buffers, also as windows into larger ones", () => {
  const bytes = new TextEncoder().encode("xxdata: grün\n\ndata: b\n\nxx");
  assert.deepEqual(parse([bytes.subarray(2, bytes.length - 2)]).data, ["grün", "b"]);
});

test("an event over the limit ends the parsing, in one chunk or in many", () => {
  assert.equal(parse([`data: ${"x".repeat(200)}\n\n`], 100).verdict, "too-long");
  assert.equal(
    parse(
      Array.from({ length: 30 }, () => "data: xxxxxx\n"),
      100,
    ).verdict,
    "too-long",
  );
  assert.equal(parse([`data: ${"x".repeat(80)}\n\n`, `data: ${"y".repeat(80)}\n\n`], 100).verdict, "ok");
});

test("a gigabyte without a newline is refused at the limit, and its memory is given back", () => {
  for (const start of ["data: ", ": ", ""]) {
    const chunk = Buffer.alloc(64 * 1024, "x");
    const parser = new SseParser({ onFrame: () => true });
    let verdict = parser.push(Buffer.from(start));
    let pushed = 0;
    while (verdict === "ok" && pushed < 2 ** 30) {
      verdict = parser.push(chunk);
      pushed += chunk.length;
    }
    assert.equal(verdict, "too-long");
    assert.ok(pushed <= 8 * 1024 * 1024 + chunk.length, `stopped only after ${pushed} bytes`);
    parser.reset();
    assert.equal(parser.hasPartial, false);
  }
});

test("a listener that has enough hears nothing more", () => {
  const heard: string[] = [];
  const parser = new SseParser({
    onFrame: (bytes, from, to) => {
      const data = bytes.toString("utf8", from, to);
      heard.push(data);
      return data !== "b";
    },
  });
  assert.equal(parser.push(Buffer.from("data: a\n\ndata: b\n\ndata: c\n\n")), "stopped");
  assert.deepEqual(heard, ["a", "b"]);
});

test("after reset nothing of the stream before is left", () => {
  const heard: string[] = [];
  const parser = new SseParser({
    onFrame: (bytes, from, to) => heard.push(bytes.toString("utf8", from, to)) > 0,
  });
  parser.push(Buffer.from("data: old\ndata: ol\r"));
  parser.reset();
  parser.push(Buffer.from("\ndata: new\n\n"));
  assert.deepEqual(heard, ["new"]);
});
