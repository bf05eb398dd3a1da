import assert from "node:assert/strict";
import { test } from "node:test";
import { property, type Random } from "@tokenstorm/testkit";
import { OpenAiStream } from "./openai-events.js";

/** All that a stream of events is known by. */
function known(stream: OpenAiStream) {
  const { tokens, content, text, finishReason, isDone, errorText, counted, usage, tokenSource } = stream;
  return { tokens, content, text, finishReason, isDone, errorText, counted, usage, tokenSource };
}

/** Reads the frames by bytes, as readers do, and by text, which always parses: each must leave the same behind. */
function assertSame(frames: readonly Buffer[]): void {
  const byShape = new OpenAiStream();
  const byParse = new OpenAiStream();
  for (const frame of frames) {
    // Among other bytes, as in a read.
    const read = Buffer.concat([Buffer.from('data: "'), frame, Buffer.from('"}\n\n')]);
    const kind = byShape.readBytes(read, 7, 7 + frame.length);
    assert.equal(kind, byParse.read(frame.toString("utf8")), frame.toString("latin1"));
    assert.deepEqual(known(byShape), known(byParse), frame.toString("latin1"));
  }
}

const event = (content: string, more = "") =>
  Buffer.from(
    `{"id":"a","choices":[{"index":0,"delta":{"content":"${content}"},"finish_reason":null}]${more}}`,
  );

test("events of one shape are not parsed, and give what parsing gives", (t) => {
  const parse = t.mock.method(JSON, "parse");
  const frames = Array.from({ length: 100 }, (_, i) => event(` grün ${i}`));
  const stream = new OpenAiStream();
  const texts = frames.map((frame) => {
    stream.readBytes(frame, 0, frame.length);
    return stream.text;
  });
  const { callCount } = parse.mock;
  assert.equal(callCount.call(parse.mock), 2, "the first event and its shape");
  assert.deepEqual(
    texts,
    frames.map((_, i) => ` grün ${i}`),
  );
  assert.equal(stream.counted, 100);
  parse.mock.restore();
  assertSame(frames);
});

test("running usage is part of the shape: its numbers are read from their places", (t) => {
  const parse = t.mock.method(JSON, "parse");
  const stream = new OpenAiStream();
  const frames = Array.from({ length: 100 }, (_, i) =>
    event(
      ` token ${i}`,
      `,"usage":{"prompt_tokens":9,"total_tokens":${10 + 2 * i},"completion_tokens":${1 + 2 * i}}`,
    ),
  );
  for (const frame of frames) stream.readBytes(frame, 0, frame.length);
  const calls = parse.mock.callCount();
  parse.mock.restore();
  assert.equal(calls, 2);
  assert.equal(stream.counted, 199);
  assert.equal(stream.tokenSource, "continuous");
  assert.deepEqual(stream.usage, { prompt: 9, cachedPrompt: 0, output: 199 });
  assertSame(frames);
});

test("a shape is of one answer: the next answer's is learnt from its first event", (t) => {
  const parse = t.mock.method(JSON, "parse");
  const stream = new OpenAiStream();
  for (const id of ["one", "two", "three"]) {
    stream.reset();
    for (let i = 0; i < 10; i++) {
      const frame = Buffer.from(event(` token ${i}`).toString().replace('"id":"a"', `"id":"${id}"`));
      stream.readBytes(frame, 0, frame.length);
    }
    assert.equal(stream.counted, 10);
  }
  const calls = parse.mock.callCount();
  parse.mock.restore();
  assert.equal(calls, 6);
});

const TRAPS: readonly { readonly name: string; readonly frames: readonly string[] }[] = [
  { name: "a text with an escape", frames: ["a", "b", '\\"', "c\\n", "d"] },
  { name: "a text that ends its string and begins another", frames: ["a", 'b"},"error":{"x":"y', "c"] },
  { name: "a text with a line end, which JSON refuses", frames: ["a", "b\nc", "d"] },
  { name: "no text", frames: ["a", "", "b"] },
  { name: "a text that looks like the end of the event", frames: ["a", "}]}", "b"] },
];

for (const { name, frames } of TRAPS) {
  test(`the shape is not fooled by ${name}`, () => assertSame(frames.map((text) => event(text))));
}

const OTHERS: readonly { readonly name: string; readonly frames: readonly string[] }[] = [
  {
    name: "another content stands first",
    frames: ["a", "b"].map(
      (text) =>
        `{"prompt":{"content":"${text}"},"choices":[{"delta":{"content":"same"},"finish_reason":null}]}`,
    ),
  },
  {
    name: "the key comes twice",
    frames: ["a", ""].map((text) => `{"choices":[{"delta":{"content":"${text}","content":"x"}}]}`),
  },
  {
    name: "the event tells its token ids",
    frames: ["a", "b"].map((text) => `{"choices":[{"delta":{"content":"${text}"},"token_ids":[1,2]}]}`),
  },
  {
    name: "the event tells the running usage",
    frames: [3, 3].map((n) => `{"choices":[{"delta":{"content":"a"}}],"usage":{"completion_tokens":${n}}}`),
  },
  {
    name: "the running usage is nonsense now and then",
    frames: ["1", "2", "03", "4.5", "-6", "99999999999", "99999999999999999", "7e2", "8", "null"].map((n) =>
      event("a", `,"usage":{"prompt_tokens":9,"completion_tokens":${n}}`).toString(),
    ),
  },
  {
    name: "usage stands twice, and the second time counts",
    frames: [1, 2, 3].map((n) =>
      event("a", `,"usage":{"completion_tokens":${n}},"usage":{"completion_tokens":${10 - n}}`).toString(),
    ),
  },
  {
    name: "the count of something else stands first",
    frames: [1, 2, 3].map((n) =>
      event("a", `,"x":{"completion_tokens":${n}},"usage":{"completion_tokens":1}`).toString(),
    ),
  },
  {
    name: "the count of something else stands last",
    frames: [1, 2, 3].map((n) =>
      event("a", `,"usage":{"completion_tokens":${n}},"x":{"completion_tokens":1}`).toString(),
    ),
  },
  {
    name: "running usage ends, and goes on",
    frames: [
      event("a", ',"usage":{"completion_tokens":1}'),
      event("b", ',"usage":{"completion_tokens":2}'),
      event("c"),
      event("d"),
      event("e", ',"usage":{"completion_tokens":9}'),
      event("f", ',"usage":{"completion_tokens":10}'),
    ].map((frame) => frame.toString()),
  },
  {
    name: "the prompt grows between two events of one shape",
    frames: [
      event("a", ',"usage":{"prompt_tokens":9,"completion_tokens":1}').toString(),
      '{"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":1}}',
      event("b", ',"usage":{"prompt_tokens":9,"completion_tokens":2}').toString(),
    ],
  },
  {
    name: "reasoning comes before content, under one name or both",
    frames: ["reasoning", "reasoning_content", "content"].flatMap((name) =>
      ["a", "b", "c", "d", "e", "f"].map(
        (text) => `{"choices":[{"delta":{"${name}":"${text}","reasoning_content":"${text}"}}]}`,
      ),
    ),
  },
  {
    name: "the event finishes the answer",
    frames: ["a", "b"].map((text) => `{"choices":[{"delta":{"content":"${text}"},"finish_reason":"stop"}]}`),
  },
  {
    name: "completions carry their text elsewhere",
    frames: ["a", "b", ""].map((text) => `{"choices":[{"text":"${text}","finish_reason":null}]}`),
  },
  {
    name: "usage comes between",
    frames: ['{"choices":[],"usage":{"completion_tokens":1}}', event("a").toString(), event("b").toString()],
  },
];

for (const { name, frames } of OTHERS) {
  test(`what is counted does not depend on the shape where ${name}`, () =>
    assertSame(frames.map((frame) => Buffer.from(frame))));
}

property("any stream of nearly equal events gives what parsing each of them gives", 2000, (random) => {
  const text = () =>
    random.pick([
      " Red",
      "grün",
      "雪🚀",
      "",
      "x",
      '"',
      '\\"',
      "\\u0000",
      "\u0001",
      "}]}",
      '","content":"',
      "\\",
    ]);
  const running = random.bool();
  let total = 0;
  const usage = () => {
    total += random.int(0, 3);
    return `,"usage":{"prompt_tokens":${random.bool(0.9) ? 9 : 8},"total_tokens":${total + 9},"completion_tokens":${total}}`;
  };
  const tail = random.pick([
    "",
    ',"usage":null',
    ',"usage":{"completion_tokens":7}',
    ',"text":"x"',
    ',"error":null',
  ]);
  const frames = Array.from({ length: random.int(2, 14) }, () => {
    const frame = random.bool(0.9)
      ? event(text(), running ? usage() : random.bool(0.95) ? tail : "")
      : Buffer.from(
          random.pick(["[DONE]", '{"choices":[]}', '{"choices":[{"text":"t"}]}', "{}", '{"error":1}']),
        );
    return random.bool(0.15) ? damaged(random, frame) : frame;
  });
  assertSame(frames);
});

function damaged(random: Random, frame: Buffer): Buffer {
  const at = random.int(0, frame.length);
  return Buffer.concat([
    frame.subarray(0, at),
    Buffer.from(random.bytes(random.int(0, 2))),
    frame.subarray(at + random.int(0, 2)),
  ]);
}
