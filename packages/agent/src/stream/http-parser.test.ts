import assert from "node:assert/strict";
import { test } from "node:test";
import { HttpParser } from "./http-parser.js";

interface Read {
  /** Status and content type of the head that was told of; empty without one. */
  readonly head: string;
  readonly body: string;
  readonly end: "open" | "complete" | "broken";
  readonly keeps: boolean | null;
  readonly leftover: boolean;
}

/** Feeds the parts, each into the same memory, as a socket's reads are; `closes` is the server's closing its side. */
function read(parts: readonly Buffer[], closes = false, parser = new HttpParser()): Read {
  const shared = Buffer.alloc(64 * 1024);
  let head = "";
  let body = "";
  let end: Read["end"] = "open";
  let leftover = false;
  for (const part of parts) {
    if (end === "broken") break;
    part.copy(shared);
    parser.take(shared, 0, part.length);
    if (end === "complete") {
      leftover ||= parser.hasLeftover;
      continue;
    }
    for (let event = parser.next(); event !== "more"; event = parser.next()) {
      if (event === "head") head += `${parser.head.status} ${parser.head.contentType}`;
      else if (event === "body") body += shared.toString("latin1", parser.from, parser.to);
      else {
        end = event;
        leftover = event === "complete" && parser.hasLeftover;
        break;
      }
    }
    shared.fill("#");
  }
  if (closes && end === "open") end = parser.end();
  return { head, body, end, keeps: end === "complete" ? parser.head.keepsConnection : null, leftover };
}

const HEAD = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n";
const CHUNKED = `${HEAD}transfer-encoding: chunked\r\n\r\n`;

interface Good {
  readonly name: string;
  readonly bytes: string;
  readonly body?: string;
  readonly head?: string;
  readonly keeps?: boolean;
  readonly closes?: boolean;
  readonly leftover?: boolean;
}

const GOOD: readonly Good[] = [
  { name: "chunks", bytes: `${CHUNKED}3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n`, body: "abcde" },
  {
    name: "sizes in capitals, with zeros",
    bytes: `${CHUNKED}00A\r\n0123456789\r\n000\r\n\r\n`,
    body: "0123456789",
  },
  {
    name: "data that looks like framing",
    bytes: `${CHUNKED}9\r\n\r\n0\r\n\r\n\r\n\r\n0\r\n\r\n`,
    body: "\r\n0\r\n\r\n\r\n",
  },
  { name: "extensions", bytes: `${CHUNKED}1;a\r\nx\r\n1;a=b;c="d\\"\t;";e=\r\ny\r\n0;z\r\n\r\n`, body: "xy" },
  { name: "trailers", bytes: `${CHUNKED}1\r\nx\r\n0\r\na: 1\r\nContent-Length: 7\r\nb:\r\n\r\n`, body: "x" },
  { name: "a length", bytes: `${HEAD}Content-Length: 4 \r\n\r\nabcd`, body: "abcd" },
  { name: "no length at all", bytes: `${HEAD}content-length:0\r\n\r\n`, body: "" },
  { name: "a body until the end", bytes: `${HEAD}\r\nabc`, body: "abc", closes: true, keeps: false },
  { name: "an empty body until the end", bytes: `${HEAD}\r\n`, body: "", closes: true, keeps: false },
  {
    name: "an encoding of its own, which ends with the connection",
    bytes: `${HEAD}transfer-encoding: chunked, gzip\r\n\r\nabc`,
    body: "abc",
    closes: true,
    keeps: false,
  },
  {
    name: "chunked as the last of encodings",
    bytes: `${HEAD}Transfer-Encoding: gzip, Chunked\r\n\r\n0\r\n\r\n`,
  },
  {
    name: "connection: close",
    bytes: `${HEAD}Connection: x, Close\r\ncontent-length: 1\r\n\r\na`,
    body: "a",
    keeps: false,
  },
  {
    name: "HTTP/1.0",
    bytes: "HTTP/1.0 200 OK\r\ncontent-length: 1\r\n\r\na",
    head: "200 ",
    body: "a",
    keeps: false,
  },
  {
    name: "HTTP/1.0 that keeps the connection",
    bytes: "HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 1\r\n\r\na",
    head: "200 ",
    body: "a",
  },
  {
    name: "informational answers first",
    bytes: `HTTP/1.1 102 X\r\n\r\nHTTP/1.1 103\r\na: b\r\ncontent-length: 9\r\n\r\n${CHUNKED}0\r\n\r\n`,
  },
  { name: "line ends before the answer", bytes: `\r\n\n${CHUNKED}0\r\n\r\n` },
  {
    name: "status 204 with an encoding",
    bytes: "HTTP/1.1 204 No\r\ntransfer-encoding: chunked\r\n\r\n",
    head: "204 ",
  },
  {
    name: "status 304 with a length",
    bytes: "HTTP/1.1 304 No\r\ncontent-length: 9\r\n\r\n",
    head: "304 ",
    keeps: false,
  },
  { name: "no reason", bytes: "HTTP/1.1 429\r\ncontent-length: 0\r\n\r\n", head: "429 " },
  { name: "the first of two content types", bytes: `${HEAD}content-type: a/b\r\ncontent-length: 0\r\n\r\n` },
  {
    name: "blanks before a value",
    bytes: "HTTP/1.1 200 \r\ncontent-type: \t x\r\nx:\r\ncontent-length:  0\r\n\r\n",
    head: "200 x",
  },
  { name: "line ends after the answer", bytes: `${HEAD}content-length: 1\r\n\r\na\r\n\n`, body: "a" },
  {
    name: "bytes nobody asked for",
    bytes: `${HEAD}content-length: 1\r\n\r\na\r\nb`,
    body: "a",
    leftover: true,
  },
  { name: "another answer", bytes: `${CHUNKED}0\r\n\r\n${CHUNKED}0\r\n\r\n`, leftover: true },
];

for (const {
  name,
  bytes,
  body = "",
  head = "200 text/event-stream",
  keeps = true,
  closes = false,
  leftover = false,
} of GOOD) {
  test(`an answer with ${name} is read alike wherever it is cut`, () => {
    const all = Buffer.from(bytes, "latin1");
    const expected = { head, body, end: "complete", keeps, leftover };
    assert.deepEqual(read([all], closes), expected, "whole");
    assert.deepEqual(
      read(
        Array.from(all, (byte) => Buffer.of(byte)),
        closes,
      ),
      expected,
      "byte by byte",
    );
    for (let at = 1; at < all.length; at++) {
      assert.deepEqual(
        read([all.subarray(0, at), all.subarray(at)], closes),
        expected,
        `cut before byte ${at}`,
      );
    }
  });
}

/** `|` stands behind the byte at which it must be known. */
const MALFORMED: readonly string[] = [
  "x|",
  "HTTPS|/1.1 200 OK",
  "HTTP/1.x|",
  "HTTP/1.2| 200",
  "HTTP/1.1  |200 OK",
  "HTTP/1.1 2000|",
  "HTTP/1.1 20 |OK",
  "HTTP/1.1 200OK".replace("O", "O|"),
  "HTTP/1.1 200 OK\n|",
  "HTTP/1.1 200 OK\rX|",
  `${HEAD} |folded: x`,
  `${HEAD}x: y\r\n |z`,
  `${HEAD}:|`,
  `${HEAD}no colon|`.replace("no ", "no |").replace(/\|$/, ""),
  `${HEAD}\x80|`,
  `${HEAD}x: a\0|`,
  `${HEAD}x: a\x7f|`,
  `${HEAD}x: a\n|`,
  `${HEAD}x: a\rb|`,
  `${HEAD}\rx|`,
  `${HEAD}content-length: -|1`,
  `${HEAD}content-length: 1,|1`,
  `${HEAD}content-length: 1 1\r\n\r|`,
  `${HEAD}content-length:\r\nx|`,
  `${HEAD}content-length: 99999999999999999\r\n\r|`,
  `${HEAD}content-length: 1\r\ncontent-length:| 1`,
  `${HEAD}content-length: 1\r\ntransfer-encoding:| chunked`,
  `${HEAD}transfer-encoding: chunked\r\ncontent-length:| 1`,
  `${CHUNKED}g|`,
  `${CHUNKED}\r|`,
  `${CHUNKED};|`,
  `${CHUNKED}-|1`,
  `${CHUNKED}0x|1`,
  `${CHUNKED}1 |\r\n`,
  `${CHUNKED}1\n|`,
  `${CHUNKED}1\rx|`,
  `${CHUNKED}1\r\nab|`,
  `${CHUNKED}1\r\na\n|`,
  `${CHUNKED}1\r\na\rx|`,
  `${CHUNKED}fffffffffffff|`,
  `${CHUNKED}1; |a`,
  `${CHUNKED}1;\r|`,
  `${CHUNKED}1;a="b\r|`,
  `${CHUNKED}1;a="b"c|`,
  `${CHUNKED}1;a=b"|`,
  `${CHUNKED}0\r\n x|`.replace(" x|", " |x"),
  `${CHUNKED}0\r\na b|`.replace("a b|", "a |b"),
  "HTTP/1.1 100 Continue\r\n\r\n|HTTP/1.1 200 OK",
  "HTTP/1.1 101 Switching\r\n\r\n|",
];

for (const marked of MALFORMED) {
  const known = marked.indexOf("|");
  const bytes = Buffer.from(marked.replace("|", ""), "latin1");
  test(`it is known at once that this is broken: ${JSON.stringify(marked.replace(HEAD, "..."))}`, () => {
    const parser = new HttpParser();
    assert.equal(read([bytes.subarray(0, known - 1)]).end, "open", "before the byte that breaks it");
    assert.equal(read([bytes.subarray(0, known)], false, parser).end, "broken");
    assert.notEqual(parser.problem, "");
    for (let at = 1; at < known; at++) {
      assert.equal(
        read([bytes.subarray(0, at), bytes.subarray(at, known)]).end,
        "broken",
        `cut before byte ${at}`,
      );
    }
    // After a reset nothing of it is left.
    parser.reset();
    assert.equal(read([Buffer.from(`${CHUNKED}1\r\na\r\n0\r\n\r\n`)], false, parser).body, "a");
  });
}

const CUT_OFF: readonly { readonly name: string; readonly bytes: string }[] = [
  { name: "nothing", bytes: "" },
  { name: "half a status line", bytes: "HTTP/1.1 2" },
  { name: "half a head", bytes: HEAD },
  { name: "a chunked head alone", bytes: CHUNKED },
  { name: "half a chunk", bytes: `${CHUNKED}5\r\nab` },
  { name: "a chunk without its line end", bytes: `${CHUNKED}2\r\nab` },
  { name: "no last chunk", bytes: `${CHUNKED}2\r\nab\r\n` },
  { name: "no end of the trailers", bytes: `${CHUNKED}0\r\na: b\r\n` },
  { name: "a body shorter than its length", bytes: `${HEAD}content-length: 9\r\n\r\nabc` },
];

for (const { name, bytes } of CUT_OFF) {
  test(`a connection that is closed after ${name} breaks the answer off`, () => {
    assert.equal(read([Buffer.from(bytes)], true).end, "broken");
  });
}

const BOUND = 16 * 1024;
const BOUNDED: readonly { readonly name: string; readonly before: string; readonly fill: string }[] = [
  { name: "a reason", before: "HTTP/1.1 200 ", fill: "x" },
  { name: "a header's name", before: HEAD, fill: "x" },
  { name: "a header's value", before: `${HEAD}x: `, fill: "x" },
  { name: "many small headers", before: HEAD, fill: "x: y\r\n" },
  { name: "an extension", before: `${CHUNKED}1;`, fill: "x" },
  { name: "trailers", before: `${CHUNKED}0\r\n`, fill: "x: y\r\n" },
];

for (const { name, before, fill } of BOUNDED) {
  test(`${name} without an end is refused after ${BOUND} bytes, and not much before`, () => {
    const counted = fill.replace(/[^xy]/g, "").length;
    const most = Math.floor(BOUND / counted);
    const parser = new HttpParser();
    const feed = (times: number) =>
      read([Buffer.from(before), Buffer.from(fill.repeat(times))], false, parser).end;
    assert.equal(feed(most - 100), "open");
    parser.reset();
    assert.equal(feed(most + 1), "broken");
  });
}
