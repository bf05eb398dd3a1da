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

/** Headers that say where the answer ends, and what becomes of the connection. */
const TELLING_HEADERS = [
  "Connection: close\t",
  "Connection: close ",
  "Connection:\tclose",
  "Connection: x,\tclose",
  "Connection: x ,close",
  "Connection: keep-alive\t, close",
  "Connection: closed, x",
  "Connection: close;x",
  "Connection: close\r\nConnection: keep-alive",
  "Proxy-Connection: close",
  "Keep-Alive: timeout=0",
  "Keep-Alive: timeout=\t5",
  "Keep-Alive: timeout = 1",
  "Keep-Alive: TIMEOUT=1",
  "Keep-Alive: xtimeout=1",
  "Keep-Alive: timeout=1\r\nKeep-Alive: timeout=9",
  "Keep-Alive: max=1\r\nKeep-Alive: timeout=1",
  "Transfer-Encoding: gzip,\tchunked",
  "Transfer-Encoding: gzip ,chunked ",
  "Transfer-Encoding: chunked\t",
  "Transfer-Encoding: chunked,",
  "Transfer-Encoding: chunked;q=1",
  "Transfer-Encoding: chunked chunked",
  "Transfer-Encoding: chunked, chunked",
  "Transfer-Encoding: chunked\r\nTransfer-Encoding: gzip",
  "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked",
];

test("both readers make the same of headers that tell where an answer ends, and whether another may follow", async () => {
  const body = `data: ${JSON.stringify(data("a", "stop"))}\n\n`;
  const chunked = `${httpChunk(body)}${LAST_CHUNK}`;
  const rests = [
    `content-length: ${body.length}\r\n\r\n${body}`,
    `\r\n${chunked}`,
    `transfer-encoding: chunked\r\n\r\n${chunked}`,
  ];
  for (const header of TELLING_HEADERS) {
    for (const rest of rests) {
      const bytes = Buffer.from(`HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n${header}\r\n${rest}`);
      for (const end of ["stays", "closes"] as const) {
        const difference = await readers.difference({ writes: [bytes], end, exact: null });
        assert.equal(
          difference,
          null,
          `${JSON.stringify(header)} before ${JSON.stringify(rest.slice(0, 20))}, ${end}`,
        );
      }
    }
  }
});
