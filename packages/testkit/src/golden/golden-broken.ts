import { type GoldenCase, goldenCase, resplit } from "./golden-case.js";
import {
  BEGUN,
  bytes,
  CLOSING,
  chat,
  chunk,
  END_OF_BODY,
  event,
  FIN,
  frame,
  head,
  json,
  pause,
  RED,
  ROLE,
  RST,
  SILENT,
  SKY,
  told,
  UNHEARD,
  usageOnly,
  VLLM_HEAD,
  WORD,
  write,
} from "./golden-pieces.js";

const BOOM = { error: { message: "engine died", type: "InternalServerError", param: null, code: 500 } };
const DONE = [...event("[DONE]"), END_OF_BODY];
const MEGABYTE = new Uint8Array(1024 * 1024).fill(0x78);
/** Two events with a token each are there, then it goes wrong. */
const brokenAfter = { usage: null, source: "events", keepsSocket: false } as const;

/** Answers that have to fail, however much of them was good; each with the reason and what still counts. */
export const BROKEN: readonly GoldenCase[] = [
  goldenCase("an error event in mid-stream", {
    steps: [...BEGUN, write(event(BOOM), END_OF_BODY)],
    expect: { outcome: "error-event", source: "events", keepsSocket: true },
  }),
  goldenCase("[DONE] after an error event", {
    steps: [...BEGUN, write(event(BOOM)), write(DONE)],
    expect: { outcome: "error-event", source: "events", keepsSocket: true },
  }),
  goldenCase("a good end after an error event", {
    steps: [...BEGUN, write(event(BOOM)), write(UNHEARD)],
    expect: { outcome: "error-event", source: "events", keepsSocket: true },
  }),
  goldenCase("an error event after a good end", {
    steps: [
      ...BEGUN,
      write(event(SKY, WORD), event(usageOnly(2), SILENT), event("[DONE]")),
      write(event(BOOM), END_OF_BODY),
    ],
    exactOutputTokens: 2,
    expect: { outcome: "error-event", usage: told(2), source: "usage", keepsSocket: true },
  }),
  goldenCase("an error event that is text alone, first of all", {
    steps: [write(VLLM_HEAD, event({ error: "out of memory" })), write(DONE)],
    expect: { outcome: "error-event", keepsSocket: true },
  }),
  goldenCase("an error event of the older form", {
    steps: [...BEGUN, write(event({ object: "error", message: "engine died", code: 500 })), write(DONE)],
    expect: { outcome: "error-event", source: "events", keepsSocket: true },
  }),
  resplit(
    goldenCase("an error event", {
      steps: [...BEGUN, write(event(BOOM)), write(DONE)],
      expect: { outcome: "error-event", source: "events", keepsSocket: true },
    }),
    "byte by byte",
    () => 1,
  ),
  goldenCase("status 200 with a JSON error", {
    steps: [write(json(200, BOOM))],
    expect: { outcome: "not-a-stream", keepsSocket: true },
  }),
  goldenCase("status 200 with a whole JSON answer where a stream was asked for", {
    steps: [
      write(
        json(200, {
          object: "chat.completion",
          choices: [
            { index: 0, message: { role: "assistant", content: "Red sky" }, finish_reason: "length" },
          ],
          usage: { prompt_tokens: 9, completion_tokens: 2, total_tokens: 11 },
        }),
      ),
    ],
    expect: { outcome: "not-a-stream", keepsSocket: true },
  }),
  goldenCase("status 200 with a JSON error that does not end", {
    steps: [write(head(200, { "content-type": "application/json", "content-length": "999" })), pause(3000)],
    // What has failed already is read on for one second.
    expect: { outcome: "not-a-stream", keepsSocket: false, endsAtMs: 1000 },
  }),
  goldenCase("status 200 with a stream within JSON's content type", {
    steps: [
      write(head(200, { "content-type": "application/json", "transfer-encoding": "chunked" })),
      write(event(RED), UNHEARD),
    ],
    expect: { outcome: "not-a-stream", keepsSocket: true },
  }),
  goldenCase("status 400", {
    steps: [write(json(400, BOOM))],
    expect: { outcome: "http-4xx", keepsSocket: true },
  }),
  goldenCase("status 429", {
    steps: [write(json(429, BOOM))],
    expect: { outcome: "rate-limited", keepsSocket: true },
  }),
  goldenCase("status 503", {
    steps: [write(json(503, BOOM))],
    expect: { outcome: "http-5xx", keepsSocket: true },
  }),
  goldenCase("status 500 with an event stream", {
    steps: [
      write(head(500, { "content-type": "text/event-stream", "transfer-encoding": "chunked" })),
      write(event(RED), UNHEARD),
    ],
    expect: { outcome: "http-5xx", keepsSocket: true },
  }),
  goldenCase("a redirect", {
    steps: [write(head(307, { location: "/elsewhere", "content-length": "0" }))],
    expect: { outcome: "not-a-stream", keepsSocket: true },
  }),
  goldenCase("truncated JSON in a closed event", {
    steps: [...BEGUN, write(event('{"id":"chatcmpl-a","choices":[{"ind')), write(UNHEARD)],
    expect: { outcome: "bad-frame", ...brokenAfter },
  }),
  goldenCase("truncated JSON at the end of the body", {
    steps: [...BEGUN, write(chunk(bytes('data: {"id":"chatcmpl-a","choi')), END_OF_BODY)],
    expect: { outcome: "bad-frame", ...brokenAfter, keepsSocket: true },
  }),
  goldenCase("a last event without its empty line", {
    steps: [...BEGUN, write(chunk(bytes(`data: ${JSON.stringify(SKY)}\n`)), END_OF_BODY)],
    expect: { outcome: "bad-frame", ...brokenAfter, keepsSocket: true },
  }),
  ...[
    ["no JSON", "what?"],
    ["a number", "7"],
    ["null", "null"],
    ["a list", "[]"],
    ["choices that are no list", '{"choices":{"index":0}}'],
    ["a choice that is null", '{"choices":[null]}'],
    ["nothing", ""],
  ].map(([what, data]) =>
    goldenCase(`${what} as data`, {
      steps: [...BEGUN, write(event(data)), write(UNHEARD)],
      expect: { outcome: "bad-frame", ...brokenAfter },
    }),
  ),
  goldenCase("garbage instead of events", {
    steps: [write(VLLM_HEAD), write(chunk(bytes("what is this\n\nand this\n\n")), END_OF_BODY)],
    expect: { outcome: "empty", keepsSocket: true },
  }),
  goldenCase("bytes that are no UTF-8 instead of events", {
    steps: [
      write(VLLM_HEAD),
      write(chunk(bytes(Uint8Array.of(0xff, 0xfe, 0, 10, 10, 0x80, 10))), END_OF_BODY),
    ],
    expect: { outcome: "empty", keepsSocket: true },
  }),
  goldenCase("garbage instead of HTTP", {
    steps: [write(bytes("SSH-2.0-OpenSSH_9.2\r\n\r\n"))],
    expect: { outcome: "not-a-stream", keepsSocket: false },
  }),
  ...["zz\r\n", "-5\r\n", "fffffffffffffffff\r\n", "\r\n"].map((line) =>
    goldenCase(`${JSON.stringify(line)} instead of a chunk's size`, {
      steps: [...BEGUN, write(bytes(line)), write(UNHEARD)],
      expect: { outcome: "stream-broken", ...brokenAfter },
    }),
  ),
  goldenCase("a chunk that is longer than it says", {
    steps: [...BEGUN, write(bytes("5\r\n: ping and more\n\n\r\n")), write(UNHEARD)],
    expect: { outcome: "stream-broken", ...brokenAfter },
  }),
  goldenCase("a gigabyte without a newline", {
    steps: [write(VLLM_HEAD), { kind: "flood", bytes: flat(chunk({ bytes: MEGABYTE })), times: 1024 }],
    expect: { outcome: "bad-frame", keepsSocket: false },
  }),
  goldenCase("a gigabyte in the lines of one event", {
    steps: [
      write(VLLM_HEAD),
      { kind: "flood", bytes: flat(chunk(bytes(`data: ${"x".repeat(65_530)}\n`))), times: 16_384 },
    ],
    expect: { outcome: "bad-frame", keepsSocket: false },
  }),
  goldenCase("a gigabyte of JSON error", {
    steps: [
      write(head(500, { "content-type": "application/json", "transfer-encoding": "chunked" })),
      { kind: "flood", bytes: flat(chunk({ bytes: MEGABYTE })), times: 1024 },
    ],
    expect: { outcome: "http-5xx", keepsSocket: false },
  }),
  goldenCase("a gigabyte of headers", {
    steps: [
      write(bytes("HTTP/1.1 200 OK\r\n")),
      { kind: "flood", bytes: Buffer.from(`x-filler: ${"x".repeat(65_524)}\r\n`), times: 16_384 },
    ],
    expect: { outcome: "not-a-stream", keepsSocket: false },
  }),
  goldenCase("no finish reason", {
    steps: [...BEGUN, write(event(chat({ content: " sky" }), WORD)), write(CLOSING)],
    expect: { outcome: "no-finish", usage: told(2), source: "usage", keepsSocket: true },
  }),
  goldenCase("finish reason abort", {
    steps: [...BEGUN, write(event(chat({ content: " sky" }, "abort"), WORD)), write(CLOSING)],
    expect: { outcome: "no-finish", usage: told(2), source: "usage", keepsSocket: true },
  }),
  goldenCase("no output, but a finish reason and [DONE]", {
    steps: [write(VLLM_HEAD), write(event(ROLE, SILENT), event(chat({}, "stop"), SILENT), DONE)],
    expect: { outcome: "empty", keepsSocket: true },
  }),
  goldenCase("[DONE] and nothing else", {
    steps: [write(VLLM_HEAD), write(DONE)],
    expect: { outcome: "empty", keepsSocket: true },
  }),
  goldenCase("a body without a byte", {
    steps: [write(VLLM_HEAD), write(END_OF_BODY)],
    expect: { outcome: "empty", keepsSocket: true },
  }),
  goldenCase("a shorter answer than asked for", {
    steps: [...BEGUN, write(event(SKY, WORD)), write(CLOSING)],
    exactOutputTokens: 3,
    expect: { outcome: "wrong-length", usage: told(2), source: "usage", keepsSocket: true },
  }),
  ...[RST, FIN].flatMap((end) => {
    const word = end === RST ? "reset" : "clean close";
    return [
      goldenCase(`a ${word} before the headers`, {
        steps: [pause(5), end],
        expect: { outcome: "stream-broken", keepsSocket: false },
      }),
      goldenCase(`a ${word} within the headers`, {
        steps: [write(bytes("HTTP/1.1 200 OK\r\ncontent-ty")), pause(5), end],
        expect: { outcome: "stream-broken", keepsSocket: false },
      }),
      goldenCase(`a ${word} after the headers`, {
        steps: [write(VLLM_HEAD), end],
        expect: { outcome: "stream-broken", keepsSocket: false },
      }),
      ...[1, 3, 17].map((k) =>
        goldenCase(`a ${word} at token ${k}`, {
          steps: [
            write(VLLM_HEAD, event(ROLE, SILENT)),
            ...Array.from({ length: k }, () => write(event(RED, WORD))),
            end,
          ],
          expect: { outcome: "stream-broken", ...brokenAfter },
        }),
      ),
      goldenCase(`a ${word} within an event`, {
        steps: [...BEGUN, write(bytes('80\r\ndata: {"id":"chat')), end],
        expect: { outcome: "stream-broken", ...brokenAfter },
      }),
      goldenCase(`a ${word} after the finish, before [DONE]`, {
        steps: [...BEGUN, write(event(SKY, WORD)), end],
        exactOutputTokens: 2,
        expect: { outcome: "stream-broken", ...brokenAfter },
      }),
    ];
  }),
  goldenCase("a body that is shorter than announced", {
    steps: [
      write(head(200, { "content-type": "text/event-stream", "content-length": "9999" })),
      write(frame(RED, WORD)),
      write(frame(SKY, WORD)),
      FIN,
    ],
    expect: { outcome: "stream-broken", ...brokenAfter },
  }),
  goldenCase("a body that the closed connection ends, without a finish", {
    steps: [
      write(head(200, { "content-type": "text/event-stream" })),
      write(frame(ROLE, SILENT), frame(RED, WORD)),
      FIN,
    ],
    expect: { outcome: "no-finish", ...brokenAfter },
  }),
  goldenCase("no answer at all", {
    steps: [pause(900)],
    limits: { ttftMs: 500 },
    expect: { outcome: "ttft-timeout", keepsSocket: false, endsAtMs: 500 },
  }),
  goldenCase("headers and then nothing", {
    steps: [pause(200), write(VLLM_HEAD, event(ROLE, SILENT)), pause(900)],
    limits: { ttftMs: 500 },
    expect: { outcome: "ttft-timeout", keepsSocket: false, endsAtMs: 500 },
  }),
  goldenCase("pings, which are no tokens, for ever", {
    steps: [
      write(VLLM_HEAD),
      ...Array.from({ length: 20 }, () => [pause(50), write(chunk(bytes(": ping\n\n")))]).flat(),
      pause(900),
    ],
    limits: { ttftMs: 500 },
    expect: { outcome: "ttft-timeout", keepsSocket: false, endsAtMs: 500 },
  }),
  goldenCase("a stall for ever after a token", {
    steps: [...BEGUN, pause(200), write(event(chat({ content: " and" }), WORD)), pause(900)],
    limits: { stallMs: 300 },
    expect: { outcome: "stall-timeout", ...brokenAfter, endsAtMs: 500 },
  }),
  goldenCase("a stall for ever within an event", {
    steps: [...BEGUN, pause(200), write(bytes('80\r\ndata: {"id":"chat')), pause(900)],
    limits: { stallMs: 300 },
    expect: { outcome: "stall-timeout", ...brokenAfter, endsAtMs: 300 },
  }),
  goldenCase("pings after a token for ever", {
    steps: [
      ...BEGUN,
      ...Array.from({ length: 20 }, () => [pause(50), write(chunk(bytes(": ping\n\n")))]).flat(),
      pause(900),
    ],
    limits: { stallMs: 300 },
    expect: { outcome: "stall-timeout", ...brokenAfter, endsAtMs: 300 },
  }),
  goldenCase("a good end that is never closed", {
    steps: [...BEGUN, write(event(SKY, WORD), event(usageOnly(2), SILENT), event("[DONE]")), pause(900)],
    limits: { stallMs: 300 },
    expect: { outcome: "stall-timeout", usage: told(2), source: "usage", keepsSocket: false, endsAtMs: 300 },
  }),
  goldenCase("tokens without an end", {
    steps: [
      write(VLLM_HEAD),
      ...Array.from({ length: 10 }, () => [write(event(RED, WORD)), pause(100)]).flat(),
      pause(900),
    ],
    limits: { stallMs: 300, totalMs: 950 },
    expect: { outcome: "total-timeout", ...brokenAfter, endsAtMs: 950 },
  }),
];

function flat(pieces: readonly { readonly bytes: Uint8Array }[]): Uint8Array {
  return Buffer.concat(pieces.map((piece) => piece.bytes));
}
