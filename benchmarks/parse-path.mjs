// What the raw reader does with an event once the bytes are there: framing, lines, the shape of the event, stamps and
// deadlines, up to the sink. No socket and no kernel, so it shows what a change of the parsers is worth on a busy machine too.
//
//   node benchmarks/parse-path.mjs [rounds=9]
//
// The best of the rounds counts: what disturbs only adds.

import { HttpParser } from "../packages/agent/dist/stream/http-parser.js";
import { Exchange } from "../packages/agent/dist/target/exchange.js";
import { RawReads } from "../packages/agent/dist/target/raw-reads.js";
import { requirePlan } from "../packages/core/dist/index.js";
import { systemClock } from "../packages/protocol/dist/index.js";

const rounds = Number(process.argv[2] ?? 9);
const STREAMS = 1000;
const EVENTS = 300;

const { timeouts } = requirePlan({
  version: 1,
  target: { urls: ["http://127.0.0.1:1"], model: "m" },
  load: { kind: "users", stages: [{ users: 1, durationMs: 1000 }] },
});
const clock = { ...systemClock(), at: () => () => undefined };
const reads = new RawReads(clock);
/** Nothing is asked of it. */
const SOCKET = {};
const head =
  "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n";
let events = 0;
const nothing = () => undefined;
const sink = {
  onConnected: nothing,
  onSent: nothing,
  onHeaders: nothing,
  onStaleRetry: nothing,
  onEnd: nothing,
  onEvent: () => {
    events++;
  },
};

const token = event({ content: " token" });
const streams = Array.from({ length: STREAMS }, open);
let best = Number.POSITIVE_INFINITY;
for (let round = 0; round < rounds; round++) {
  events = 0;
  const startNs = process.hrtime.bigint();
  for (let i = 0; i < EVENTS; i++) {
    for (const stream of streams) read(stream, token);
    reads.settle();
  }
  best = Math.min(best, Number(process.hrtime.bigint() - startNs) / (EVENTS * STREAMS));
  if (events !== EVENTS * STREAMS) throw new Error(`${events} events were heard of`);
}
console.log(`${best.toFixed(0)} ns per event, best of ${rounds} rounds`);
for (const { exchange } of streams) exchange.close();

function event(delta) {
  const data = `data: ${JSON.stringify({
    id: "chatcmpl-0123456789abcdef0123456789abcdef",
    object: "chat.completion.chunk",
    created: 1_700_000_000,
    model: "meta-llama/Llama-3.1-405B-Instruct-FP8",
    choices: [{ index: 0, delta, logprobs: null, finish_reason: null, token_ids: null }],
  })}\n\n`;
  return Buffer.from(`${data.length.toString(16)}\r\n${data}\r\n`);
}

/** A stream whose head and first events have been read. */
function open() {
  const carrier = { dispatch: nothing, discard: nothing, released: nothing };
  const parser = new HttpParser();
  const exchange = new Exchange({ carrier, clock, reads, timeouts });
  const stream = { exchange, understand: (_socket, ...part) => understand(parser, exchange, part) };
  const request = { key: null, id: "r", url: 0, body: Buffer.alloc(0), exactOutputTokens: null };
  stream.exchange.begin(request, sink);
  stream.exchange.started(false);
  stream.exchange.written(true);
  read(stream, Buffer.from(head));
  read(stream, event({ role: "assistant", content: "" }));
  read(stream, token);
  reads.settle();
  return stream;
}

/** As the connection does it with what the kernel has put into the shared buffer. */
function read(stream, bytes) {
  bytes.copy(reads.buffer);
  reads.made(stream, SOCKET, bytes.length);
}

function understand(parser, exchange, [bytes, from, to]) {
  parser.take(bytes, from, to);
  for (let what = parser.next(); what !== "more"; what = parser.next()) {
    if (what === "head") exchange.head(parser.head.status, parser.head.contentType);
    else if (what === "body") exchange.body(bytes.subarray(parser.from, parser.to));
    else throw new Error(`the parser says ${what}`);
  }
}
