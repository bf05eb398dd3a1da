import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { httpChunk, httpHead, LAST_CHUNK, property, sseChunk } from "@tokenstorm/testkit";
import { type Answer, randomAnswer } from "../testing/random-answer.js";
import { TwoReaders } from "../testing/two-readers.js";

/** Some seconds' worth; scripts/fuzz-readers.mjs goes on for as long as it is asked to. */
const RANDOM_ANSWERS = 300;

let readers: TwoReaders;
before(async () => {
  readers = await TwoReaders.start();
});
after(() => readers.close());

property("both readers make the same of a random answer", RANDOM_ANSWERS, async (random) => {
  assert.equal(await readers.difference(randomAnswer(random)), null);
});

const HEAD = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
const data = (content: string, finish: string | null = null) => ({
  choices: [{ delta: { content }, finish_reason: finish }],
});
const text = `data: ${JSON.stringify(data("grün"))}\r\n\r\n: ping\r\n\r\ndata:${JSON.stringify(data("", "stop"))}\r\n\r\ndata: [DONE]\r\n\r\n`;

const WELL_FORMED: readonly { readonly name: string; readonly bytes: Buffer; readonly end: Answer["end"] }[] =
  [
    {
      name: "vLLM's chunked stream",
      bytes: Buffer.concat([
        Buffer.from(HEAD),
        sseChunk(data("雪")),
        sseChunk(data("b", "length")),
        sseChunk({ choices: [], usage: { prompt_tokens: 9, completion_tokens: 2 } }),
        sseChunk("[DONE]"),
        Buffer.from(LAST_CHUNK),
      ]),
      end: "stays",
    },
    {
      name: "a stream of known length, with CRLF and comments",
      bytes: Buffer.from(
        httpHead(200, {
          "content-type": "text/event-stream",
          "content-length": String(Buffer.byteLength(text)),
        }) + text,
      ),
      end: "stays",
    },
    {
      name: "a stream that ends with the connection",
      bytes: Buffer.from(httpHead(200, { "content-type": "text/event-stream" }) + text),
      end: "closes",
    },
    {
      name: "extensions, trailers and an informational answer first",
      bytes: Buffer.concat([
        Buffer.from(`HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n${HEAD}`),
        Buffer.from(httpChunk(text).toString().replace("\r\n", ';a="b\\"";c\r\n')),
        Buffer.from("0\r\nx-trailer: 1\r\n\r\n"),
      ]),
      end: "stays",
    },
  ];

for (const { name, bytes, end } of WELL_FORMED) {
  test(`both readers make the same of ${name}, wherever it is cut`, async () => {
    const whole = await readers.read({ writes: [bytes], end, exact: null });
    for (const reading of whole) assert.equal(reading.outcome, "completed");
    const expected = JSON.stringify(whole[0]);
    for (let at = 1; at < bytes.length; at++) {
      const cut = await readers.read({
        writes: [bytes.subarray(0, at), bytes.subarray(at)],
        end,
        exact: null,
      });
      for (const reading of cut) assert.equal(JSON.stringify(reading), expected, `cut before byte ${at}`);
    }
  });
}
