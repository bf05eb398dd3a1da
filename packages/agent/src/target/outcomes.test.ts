import assert from "node:assert/strict";
import type { TokenSource } from "@tokenstorm/core";
import {
  aPlan,
  CLOSE,
  httpChunk,
  httpHead,
  jsonAnswer,
  LAST_CHUNK,
  RESET,
  type ScriptedStep,
  STREAM_HEAD,
  sseChunk,
  startScriptedServer,
  VirtualClock,
} from "@tokenstorm/testkit";
import { testBoth } from "../testing/both-readers.js";
import { outcomeWord, RecordingSink } from "../testing/recording-sink.js";

const chat = (delta: object, finish: string | null = null, more: object = {}) => ({
  id: "chatcmpl-a",
  object: "chat.completion.chunk",
  created: 1,
  model: "m",
  choices: [{ index: 0, delta, logprobs: null, finish_reason: finish, token_ids: null }],
  ...more,
});
const ROLE = chat({ role: "assistant", content: "" });
const RED = chat({ content: "Red" });
const END = chat({ content: " sky" }, "length");
const running = (completion: number) => ({
  usage: { prompt_tokens: 9, completion_tokens: completion, total_tokens: 9 + completion },
});
const USAGE = { id: "chatcmpl-a", choices: [], ...running(2) };
const stream = (...frames: unknown[]): ScriptedStep[] => [STREAM_HEAD, ...frames.map(sseChunk)];
const raw = (text: string): ScriptedStep[] => [STREAM_HEAD, httpChunk(text), LAST_CHUNK];
const text = (...frames: unknown[]): string =>
  frames.map((frame) => `data: ${JSON.stringify(frame)}\n\n`).join("");

interface Case {
  readonly name: string;
  readonly steps: () => Iterable<ScriptedStep>;
  readonly outcome: string;
  readonly tokens?: number;
  /** Events heard; not checked where left out. */
  readonly events?: number;
  readonly source?: TokenSource;
  readonly output?: number | null;
  /** Asked length; 2 by default. */
  readonly exact?: number | null;
  /** The socket cannot carry another request afterwards. */
  readonly losesSocket?: boolean;
}

const GOOD = { outcome: "completed", tokens: 2, source: "usage", output: 2 } as const;

/** Cut before every byte, each piece a write of its own. */
function* byteByByte(steps: readonly ScriptedStep[]): Iterable<ScriptedStep> {
  for (const step of steps) {
    if (typeof step !== "string" && !(step instanceof Uint8Array)) yield step;
    else for (const byte of Buffer.from(step)) yield Uint8Array.of(byte);
  }
}

/** Sends without an end; its steps are pulled only as fast as the socket takes them. */
function* flood(): Iterable<ScriptedStep> {
  const chunk = httpChunk(Buffer.alloc(1024 * 1024, "x"));
  yield STREAM_HEAD;
  for (let sent = 0; sent < 1024; sent++) yield chunk;
}

const CASES: readonly Case[] = [
  {
    name: "vLLM's chat stream",
    steps: () => [...stream(ROLE, RED, END, USAGE, "[DONE]"), LAST_CHUNK],
    ...GOOD,
    events: 4,
  },
  {
    name: "the same byte by byte",
    steps: () => byteByByte([...stream(ROLE, RED, END, USAGE, "[DONE]"), LAST_CHUNK]),
    ...GOOD,
    events: 4,
  },
  {
    name: "all in one write",
    steps: () => [
      Buffer.concat(
        [...stream(ROLE, RED, END, USAGE, "[DONE]"), LAST_CHUNK].map((step) => Buffer.from(String(step))),
      ),
    ],
    ...GOOD,
    events: 4,
  },
  {
    name: "role chunk with the first token's event",
    steps: () => [...stream(chat({ role: "assistant", content: "Red" }), END, USAGE), LAST_CHUNK],
    ...GOOD,
  },
  {
    name: "several tokens in an event, by running usage",
    steps: () => [
      ...stream({ ...ROLE, ...running(0) }, { ...RED, ...running(5) }, { ...END, ...running(6) }),
      LAST_CHUNK,
    ],
    outcome: "completed",
    tokens: 6,
    source: "continuous",
    output: 6,
    exact: 6,
  },
  {
    name: "CRLF, comments and data without a space",
    steps: () =>
      raw(
        `: ping\r\n\r\ndata:${JSON.stringify(RED)}\r\n\r\n: ping\r\n\r\ndata:${JSON.stringify(END)}\r\n\r\ndata:${JSON.stringify(USAGE)}\r\n\r\n`,
      ),
    ...GOOD,
  },
  {
    name: "no [DONE] after a finish reason",
    steps: () => [...stream(ROLE, RED, END, USAGE), LAST_CHUNK],
    ...GOOD,
  },
  {
    name: "no usage: an event is a token",
    steps: () => [...stream(ROLE, RED, END, "[DONE]"), LAST_CHUNK],
    outcome: "completed",
    tokens: 2,
    source: "events",
    output: null,
  },
  {
    name: "usage unasked on every event",
    steps: () => [
      ...stream({ ...RED, ...running(1) }, { ...END, ...running(2) }, USAGE, "[DONE]"),
      LAST_CHUNK,
    ],
    ...GOOD,
    source: "continuous",
  },
  {
    name: "usage null on every event",
    steps: () => [...stream({ ...RED, usage: null }, { ...END, usage: null }, USAGE), LAST_CHUNK],
    ...GOOD,
  },
  {
    name: "usage early and empty",
    steps: () => [...stream({ ...ROLE, ...running(0) }, RED, END), LAST_CHUNK],
    outcome: "completed",
    tokens: 2,
    source: "events",
    output: null,
  },
  {
    name: "usage on the finish chunk",
    steps: () => [
      ...stream(RED, chat({ content: "x" }), { ...chat({ content: "" }, "length"), ...running(7) }),
      LAST_CHUNK,
    ],
    outcome: "completed",
    tokens: 2,
    source: "usage",
    output: 7,
    exact: 7,
  },
  {
    name: "reasoning before content",
    steps: () => [...stream(ROLE, chat({ reasoning: "a", reasoning_content: "a" }), END, USAGE), LAST_CHUNK],
    ...GOOD,
  },
  {
    name: "tool calls",
    steps: () => [
      ...stream(
        ROLE,
        chat({ tool_calls: [{ index: 0, function: { name: "f" } }] }),
        chat({ tool_calls: [{ index: 0, function: { arguments: "{}" } }] }, "tool_calls"),
        USAGE,
      ),
      LAST_CHUNK,
    ],
    ...GOOD,
    exact: null,
  },
  {
    name: "empty deltas",
    steps: () => [
      ...stream(ROLE, chat({}), chat({ content: null }), RED, chat({ content: "" }), END, USAGE),
      LAST_CHUNK,
    ],
    ...GOOD,
    events: 7,
  },
  {
    name: "completions",
    steps: () => [
      ...stream(
        { choices: [{ text: "a", finish_reason: null }] },
        { choices: [{ text: "b", finish_reason: "length" }] },
        USAGE,
        "[DONE]",
      ),
      LAST_CHUNK,
    ],
    ...GOOD,
  },
  {
    name: "a body ended by closing the connection",
    steps: () => [httpHead(200, { "content-type": "text/event-stream" }), text(ROLE, RED, END, USAGE), CLOSE],
    ...GOOD,
    losesSocket: true,
  },
  {
    name: "informational answers first",
    steps: () => ["HTTP/1.1 102 Processing\r\n\r\n", ...stream(ROLE, RED, END, USAGE), LAST_CHUNK],
    ...GOOD,
  },
  {
    name: "status 100 to a request that did not wait for it",
    steps: () => ["HTTP/1.1 100 Continue\r\n\r\n", ...stream(ROLE, RED, END, USAGE), LAST_CHUNK],
    outcome: "stream-broken",
    events: 0,
    losesSocket: true,
  },
  {
    name: "status 101 without an Upgrade header",
    steps: () => ["HTTP/1.1 101 Switching\r\n\r\n", ...stream(ROLE, RED, END, USAGE), LAST_CHUNK],
    outcome: "stream-broken",
    events: 0,
    losesSocket: true,
  },
  {
    name: "a reset where closing was to end the body",
    steps: () => [httpHead(200, { "content-type": "text/event-stream" }), text(ROLE, RED, END, USAGE), RESET],
    outcome: "stream-broken",
    tokens: 2,
    losesSocket: true,
  },
  {
    name: "bytes that nobody asked for behind the answer",
    steps: () => [...stream(ROLE, RED, END, USAGE), `${LAST_CHUNK}HTTP/1.1 200 OK\r\n`],
    ...GOOD,
    losesSocket: true,
  },
  {
    name: "broken after finish and [DONE], before the last chunk",
    steps: () => [...stream(ROLE, RED, END, USAGE, "[DONE]"), CLOSE],
    ...GOOD,
    losesSocket: true,
  },

  {
    name: "an error event in mid-stream, [DONE] after it",
    steps: () => [...stream(ROLE, RED, { error: { message: "boom", code: 500 } }, "[DONE]"), LAST_CHUNK],
    outcome: "error-event",
    tokens: 1,
  },
  {
    name: "an error event after the finish",
    steps: () => [...stream(ROLE, RED, END, { object: "error", message: "boom" }), LAST_CHUNK],
    outcome: "error-event",
    tokens: 2,
  },
  {
    name: "output after an error event does not count",
    steps: () => [...stream(RED, { error: "x" }, END, USAGE), LAST_CHUNK],
    outcome: "error-event",
    tokens: 1,
  },
  {
    name: "status 200 with a JSON error body",
    steps: () => [jsonAnswer(200, { error: { message: "boom" } })],
    outcome: "not-a-stream",
    tokens: 0,
    events: 0,
  },
  {
    name: "status 200 without a content type",
    steps: () => [httpHead(200, { "content-length": "0" })],
    outcome: "not-a-stream",
  },
  { name: "status 204", steps: () => [httpHead(204, {})], outcome: "not-a-stream" },
  {
    name: "a redirect",
    steps: () => [httpHead(307, { location: "/elsewhere", "content-length": "0" })],
    outcome: "not-a-stream",
  },
  {
    name: "status 400",
    steps: () => [jsonAnswer(400, { error: { message: "no" } })],
    outcome: "http-4xx",
  },
  {
    name: "status 401",
    steps: () => [jsonAnswer(401, { error: "Unauthorized" })],
    outcome: "http-4xx",
  },
  { name: "status 429", steps: () => [jsonAnswer(429, {})], outcome: "rate-limited" },
  { name: "status 503", steps: () => [jsonAnswer(503, {})], outcome: "http-5xx" },
  {
    name: "status 500 that says it is an event stream",
    steps: () => [httpHead(500, { "content-type": "text/event-stream", "content-length": "5" }), "data:"],
    outcome: "http-5xx",
  },
  {
    name: "truncated JSON in a closed event",
    steps: () => raw(`${text(RED)}data: {"id":"x","choi\n\n`),
    outcome: "bad-frame",
    losesSocket: true,
    tokens: 1,
  },
  {
    name: "truncated JSON at the end",
    steps: () => raw(`${text(RED)}data: {"id":"x","choi`),
    outcome: "bad-frame",
    tokens: 1,
  },
  {
    name: "garbage as data",
    steps: () => raw("data: what?\n\n"),
    outcome: "bad-frame",
    losesSocket: true,
    tokens: 0,
  },
  {
    name: "garbage instead of events",
    steps: () => raw("what is this\n\nand this\n\n"),
    outcome: "empty",
    tokens: 0,
  },
  {
    name: "garbage instead of HTTP",
    steps: () => ["what is this\r\n\r\n"],
    outcome: "not-a-stream",
    losesSocket: true,
  },
  {
    name: "garbage instead of a chunk",
    steps: () => [...stream(ROLE, RED), "garbage\r\n"],
    outcome: "stream-broken",
    losesSocket: true,
    tokens: 1,
  },
  { name: "a gigabyte without a newline", steps: flood, outcome: "bad-frame", losesSocket: true, tokens: 0 },
  {
    name: "nothing",
    steps: () => [...stream(), LAST_CHUNK],
    outcome: "empty",
    tokens: 0,
    events: 0,
    source: "none",
  },
  {
    name: "only [DONE]",
    steps: () => [...stream("[DONE]"), LAST_CHUNK],
    outcome: "empty",
    events: 0,
  },
  {
    name: "a finish without output",
    steps: () => [...stream(ROLE, chat({}, "stop"), "[DONE]"), LAST_CHUNK],
    outcome: "empty",
    exact: null,
  },
  {
    name: "no finish reason",
    steps: () => [...stream(ROLE, RED, RED, USAGE, "[DONE]"), LAST_CHUNK],
    outcome: "no-finish",
    tokens: 2,
  },
  {
    name: "finish reason abort",
    steps: () => [...stream(ROLE, RED, chat({ content: "x" }, "abort"), USAGE), LAST_CHUNK],
    outcome: "no-finish",
  },
  {
    name: "a shorter answer than asked, by usage",
    steps: () => [...stream(ROLE, RED, END, USAGE), LAST_CHUNK],
    outcome: "wrong-length",
    exact: 3,
  },
  {
    name: "a shorter answer where any length will do",
    steps: () => [...stream(ROLE, RED, END, USAGE), LAST_CHUNK],
    ...GOOD,
    exact: null,
  },
  {
    name: "stopped by itself without usage, where a length was asked",
    steps: () => [...stream(ROLE, RED, chat({ content: "x" }, "stop")), LAST_CHUNK],
    outcome: "wrong-length",
    tokens: 2,
  },
  {
    name: "reset before the headers",
    steps: () => [RESET],
    outcome: "stream-broken",
    losesSocket: true,
    tokens: 0,
  },
  {
    name: "closed before the headers",
    steps: () => [CLOSE],
    outcome: "stream-broken",
    losesSocket: true,
    tokens: 0,
  },
  {
    name: "closed inside the headers",
    steps: () => [STREAM_HEAD.slice(0, 40), CLOSE],
    outcome: "stream-broken",
    losesSocket: true,
    tokens: 0,
  },
  {
    name: "reset after the first token",
    steps: () => [...stream(ROLE, RED), RESET],
    outcome: "stream-broken",
    losesSocket: true,
    tokens: 1,
  },
  {
    name: "closed after the first token",
    steps: () => [...stream(ROLE, RED), CLOSE],
    outcome: "stream-broken",
    losesSocket: true,
    tokens: 1,
  },
  {
    name: "closed after the finish, before [DONE]",
    steps: () => [...stream(ROLE, RED, END), CLOSE],
    outcome: "stream-broken",
    losesSocket: true,
    tokens: 2,
  },
  {
    name: "a body shorter than its length",
    steps: () => [
      httpHead(200, { "content-type": "text/event-stream", "content-length": "9999" }),
      text(ROLE, RED, END),
      CLOSE,
    ],
    outcome: "stream-broken",
    losesSocket: true,
    tokens: 2,
  },
];

for (const example of CASES) {
  testBoth(`outcome of ${example.name}: ${example.outcome}`, async (t, create) => {
    const good = [...stream(ROLE, { ...RED, ...running(1) }, { ...END, ...running(2) }), LAST_CHUNK];
    const server = await startScriptedServer((request) =>
      request.headers["x-request-id"] === "trap" ? example.steps() : good,
    );
    t.after(() => server.close());
    const plan = aPlan({ target: { urls: [server.url], model: "m" } });
    const clock = new VirtualClock();
    const target = create({ plan, slots: 1, env: {} }, clock);
    t.after(() => target.close());

    const send = async (id: string, exact: number | null) => {
      const sink = new RecordingSink();
      const key = { kind: "closed", stage: 0, user: 0, j: 0 } as const;
      target.send(0, { key, id, url: 0, body: Buffer.from('{"a":1}'), exactOutputTokens: exact }, sink);
      return { sink, end: await sink.ended() };
    };
    const { sink, end } = await send("trap", example.exact === undefined ? 2 : example.exact);
    assert.equal(outcomeWord(end), example.outcome);
    if (example.tokens !== undefined) assert.equal(sink.tokens, example.tokens);
    if (example.events !== undefined) assert.equal(sink.events.length, example.events);
    if (example.source !== undefined) assert.equal(end.tokenSource, example.source);
    if (example.output !== undefined) assert.equal(end.usage?.output ?? null, example.output);
    assert.deepEqual(
      sink.calls.filter((call) => call !== "event"),
      expectedCalls(sink),
    );
    assert.equal(sink.staleRetries, 0);

    // The next request on the slot must not see anything of it.
    const next = await send("next", 2);
    assert.equal(outcomeWord(next.end), "completed");
    assert.deepEqual(
      next.sink.events.map((event) => event.tokens),
      [0, 1, 1],
    );
    assert.equal(next.end.tokenSource, "continuous");
    assert.equal(next.sink.staleRetries, 0);
    assert.equal(server.accepted, example.losesSocket === true ? 2 : 1, "connections");
    assert.equal(sink.ends.length, 1);
    // What was never read went no further than the kernels' buffers.
    assert.ok(server.writtenBytes < 64 * 1024 * 1024, `${server.writtenBytes} bytes were taken`);
    await target.close();
    await server.allClosed();
    assert.equal(target.openSockets, 0);
  });
}

/** connected, sent, headers where there were any, end: each once and in this order. */
function expectedCalls(sink: RecordingSink): string[] {
  return ["connected", "sent", ...(sink.calls.includes("headers") ? ["headers"] : []), "end"];
}
