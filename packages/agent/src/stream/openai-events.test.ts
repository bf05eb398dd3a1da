import assert from "node:assert/strict";
import { test } from "node:test";
import type { TokenSource } from "@tokenstorm/core";
import { type FrameKind, OpenAiStream, type Usage } from "./openai-events.js";

const chat = (delta: object, more: object = {}) => ({
  id: "chatcmpl-a",
  object: "chat.completion.chunk",
  choices: [{ index: 0, delta, logprobs: null, finish_reason: null, ...more }],
});
const finish = (reason: string, delta: object = { content: "" }) => chat(delta, { finish_reason: reason });
const text = (piece: string, more: object = {}) => ({ choices: [{ index: 0, text: piece, ...more }] });
const usage = (prompt: number, completion: number, more: object = {}) => ({
  usage: { prompt_tokens: prompt, completion_tokens: completion, total_tokens: prompt + completion, ...more },
});
const closing = (prompt: number, completion: number, more: object = {}) => ({
  choices: [],
  ...usage(prompt, completion, more),
});
const ROLE = chat({ role: "assistant", content: "" });

interface Case {
  readonly name: string;
  readonly frames: readonly (object | string)[];
  readonly tokens: readonly number[];
  readonly content?: readonly boolean[];
  readonly kinds?: readonly FrameKind[];
  readonly source: TokenSource;
  readonly usage: Usage | null;
  readonly finishReason?: string | null;
}

const CASES: readonly Case[] = [
  {
    name: "chat as vLLM sends it: the role is no token, usage closes",
    frames: [ROLE, chat({ content: "Red" }), finish("length", { content: " sky" }), closing(9, 2), "[DONE]"],
    tokens: [0, 1, 1, 0, 0],
    content: [false, true, true, false, false],
    kinds: ["event", "event", "event", "event", "done"],
    source: "usage",
    usage: { prompt: 9, cachedPrompt: 0, output: 2 },
  },
  {
    name: "completions have no role event",
    frames: [text("Red"), text(" sky", { finish_reason: "length" }), closing(9, 2)],
    tokens: [1, 1, 0],
    content: [true, true, false],
    source: "usage",
    usage: { prompt: 9, cachedPrompt: 0, output: 2 },
  },
  {
    name: "running usage counts several tokens in an event, and tokens without text",
    frames: [
      { ...ROLE, ...usage(9, 0) },
      { ...chat({ content: "Red" }), ...usage(9, 3) },
      { ...chat({ content: "" }), ...usage(9, 4) },
      { ...finish("stop"), ...usage(9, 5) },
      closing(9, 5),
    ],
    tokens: [0, 3, 1, 1, 0],
    content: [false, true, false, false, false],
    source: "continuous",
    usage: { prompt: 9, cachedPrompt: 0, output: 5 },
    finishReason: "stop",
  },
  {
    name: "output is a token also where the running count lags, and is not counted twice",
    frames: [
      { ...chat({ content: "a" }), ...usage(9, 0) },
      { ...chat({ content: "b" }), ...usage(9, 1) },
      { ...finish("length", { content: "c" }), ...usage(9, 3) },
    ],
    tokens: [1, 0, 2],
    source: "continuous",
    usage: { prompt: 9, cachedPrompt: 0, output: 3 },
  },
  {
    name: "token_ids count exactly",
    frames: [
      chat({ content: "ab" }, { token_ids: [5, 6] }),
      chat({ content: "" }, { token_ids: [7] }),
      chat({ content: "c" }, { token_ids: [8], finish_reason: "length" }),
    ],
    tokens: [2, 1, 1],
    content: [true, false, true],
    source: "continuous",
    usage: null,
  },
  {
    name: "token_ids null is no count",
    frames: [text("a", { token_ids: null }), text("", { token_ids: null, finish_reason: "length" })],
    tokens: [1, 0],
    source: "events",
    usage: null,
  },
  {
    name: "without usage an event with output is one token",
    frames: [
      ROLE,
      chat({ content: "a" }),
      chat({}),
      chat({ content: null }),
      finish("length", { content: "b" }),
    ],
    tokens: [0, 1, 0, 0, 1],
    source: "events",
    usage: null,
  },
  {
    name: "usage null on every event but the last",
    frames: [{ ...chat({ content: "a" }), usage: null }, { ...finish("length"), usage: null }, closing(9, 1)],
    tokens: [1, 0, 0],
    source: "usage",
    usage: { prompt: 9, cachedPrompt: 0, output: 1 },
  },
  {
    name: "usage on the finish chunk corrects at the end, and is no token of that event",
    frames: [text("a"), text("b"), { ...text("", { finish_reason: "length" }), ...usage(9, 6) }],
    tokens: [1, 1, 0],
    source: "usage",
    usage: { prompt: 9, cachedPrompt: 0, output: 6 },
  },
  {
    name: "early usage that counted nothing is not believed",
    frames: [{ ...ROLE, ...usage(9, 0) }, chat({ content: "a" }), finish("length", { content: "b" })],
    tokens: [0, 1, 1],
    source: "events",
    usage: null,
  },
  {
    name: "closing usage is believed also where it is less than the events, and an early one was not",
    frames: [
      { ...ROLE, ...usage(9, 0) },
      text("a"),
      text("b"),
      text("c", { finish_reason: "length" }),
      closing(9, 2),
    ],
    tokens: [0, 1, 1, 1, 0],
    source: "usage",
    usage: { prompt: 9, cachedPrompt: 0, output: 2 },
  },
  {
    name: "the whole usage before the finish chunk is believed",
    frames: [ROLE, chat({ content: "a" }), closing(9, 2), finish("length", { content: "b" })],
    tokens: [0, 1, 0, 1],
    source: "usage",
    usage: { prompt: 9, cachedPrompt: 0, output: 2 },
  },
  {
    name: "cached prompt tokens are told apart",
    frames: [
      text("a", { finish_reason: "length" }),
      closing(64, 1, { prompt_tokens_details: { cached_tokens: 48 } }),
    ],
    tokens: [1, 0],
    source: "usage",
    usage: { prompt: 64, cachedPrompt: 48, output: 1 },
  },
  {
    name: "reasoning under either name is output but no content; under both it counts once",
    frames: [
      chat({ reasoning: "hm" }),
      chat({ reasoning_content: "so" }),
      chat({ reasoning: "x", reasoning_content: "x" }),
      finish("stop", { content: "a", reasoning: null }),
    ],
    tokens: [1, 1, 1, 1],
    content: [false, false, false, true],
    source: "events",
    usage: null,
    finishReason: "stop",
  },
  {
    name: "tool calls are output",
    frames: [
      chat({ tool_calls: [{ index: 0, id: "c", type: "function", function: { name: "f", arguments: "" } }] }),
      chat({ tool_calls: [{ index: 0, function: { arguments: "{" } }] }),
      chat({ tool_calls: [] }),
      finish("tool_calls", {}),
    ],
    tokens: [1, 1, 0, 0],
    content: [false, false, false, false],
    source: "events",
    usage: null,
    finishReason: "tool_calls",
  },
  {
    name: "a usage of nonsense is no usage",
    frames: [
      { ...text("a"), usage: { completion_tokens: -1 } },
      { ...text("b"), usage: { completion_tokens: 1e15 } },
      { ...text("c", { finish_reason: "length" }), usage: "many" },
    ],
    tokens: [1, 1, 1],
    source: "events",
    usage: null,
  },
  {
    name: "frames of no known shape that are JSON objects carry nothing",
    frames: [{}, { timings: {} }, { choices: null }, { error: null, choices: [] }],
    tokens: [0, 0, 0, 0],
    source: "none",
    usage: null,
    finishReason: null,
  },
  {
    name: "error events in both shapes",
    frames: [
      { error: { message: "boom", code: 500 } },
      { object: "error", message: "boom" },
      { error: "text" },
    ],
    tokens: [0, 0, 0],
    kinds: ["error-event", "error-event", "error-event"],
    source: "none",
    usage: null,
    finishReason: null,
  },
  {
    name: "what is no chunk is a bad frame",
    frames: [
      '{"id":"x","choi',
      "",
      "garbage",
      "5",
      "null",
      "[]",
      { choices: "x" },
      { choices: [null] },
      { choices: [1] },
    ],
    tokens: [0, 0, 0, 0, 0, 0, 0, 0, 0],
    kinds: Array.from({ length: 9 }, () => "bad-frame" as const),
    source: "none",
    usage: null,
    finishReason: null,
  },
];

for (const { name, frames, tokens, content, kinds, source, finishReason = "length", ...expected } of CASES) {
  test(`tokens: ${name}`, () => {
    const stream = new OpenAiStream();
    // A stream before must leave no trace.
    for (const left of [{ ...finish("stop", { content: "x" }), ...usage(3, 7) }, { error: "old" }, "[DONE]"])
      read(stream, left);
    stream.reset();
    const seen = frames.map((frame) => ({
      kind: read(stream, frame),
      tokens: stream.tokens,
      content: stream.content,
    }));
    assert.deepEqual(
      seen.map((frame) => frame.tokens),
      tokens,
    );
    if (content !== undefined)
      assert.deepEqual(
        seen.map((frame) => frame.content),
        content,
      );
    assert.deepEqual(
      seen.map((frame) => frame.kind),
      kinds ?? frames.map((frame) => (frame === "[DONE]" ? "done" : "event")),
    );
    assert.equal(stream.tokenSource, source);
    assert.deepEqual(stream.usage, expected.usage);
    assert.equal(stream.finishReason, finishReason);
    assert.equal(
      stream.counted,
      tokens.reduce((sum, count) => sum + count, 0),
    );
    assert.equal(stream.isDone, frames.includes("[DONE]"));
  });
}

function read(stream: OpenAiStream, frame: object | string): FrameKind {
  return stream.read(typeof frame === "string" ? frame : JSON.stringify(frame));
}

test("an error event keeps what the server said, cut to a line's length", () => {
  const stream = new OpenAiStream();
  read(stream, { error: { message: "x".repeat(1000), code: 500 } });
  assert.equal(stream.errorText?.length, 200);
  assert.match(stream.errorText ?? "", /"message":"xxx/);
});

test("the text of a frame is its content, text or reasoning", () => {
  const stream = new OpenAiStream();
  read(stream, chat({ content: "grün" }));
  assert.equal(stream.text, "grün");
  read(stream, chat({ reasoning_content: "hm" }));
  assert.equal(stream.text, "hm");
  read(stream, finish("stop"));
  assert.equal(stream.text, "");
});
