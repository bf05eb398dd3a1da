import assert from "node:assert/strict";
import { test } from "node:test";
import { uniformAt } from "../random.js";
import { type ParseResult, RequestParser } from "./request-parser.js";

const LIMITS = { headBytes: 1000, bodyBytes: 5000 };

function parse(text: string): ParseResult {
  const parser = new RequestParser(LIMITS);
  parser.feed(Buffer.from(text, "latin1"));
  return parser.next();
}

function describe(result: ParseResult): string {
  if (result.kind !== "request") return result.kind === "error" ? `error ${result.status}` : "incomplete";
  const { method, path, body, keepAlive } = result.request;
  return `${method} ${path} ${body.toString("latin1")} ${keepAlive}`;
}

test("requests are read by length, by chunks, and without a body", () => {
  const cases: [string, string][] = [
    ["GET /health HTTP/1.1\r\nHost: a\r\n\r\n", "GET /health  true"],
    ["\r\nGET /x?y=1 HTTP/1.1\r\n\r\n", "GET /x  true"],
    ["GET http://h:1/x HTTP/1.1\r\n\r\n", "GET /x  true"],
    ["GET /x HTTP/1.0\r\n\r\n", "GET /x  false"],
    ["GET /x HTTP/1.1\r\nConnection: foo, Close\r\n\r\n", "GET /x  false"],
    ["POST /x HTTP/1.1\r\nCONTENT-length:  3 \r\n\r\nabc", "POST /x abc true"],
    [
      "POST /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3;q=1\r\nabc\r\n0a\r\n0123456789\r\n0\r\nT: 1\r\n\r\n",
      "POST /x abc0123456789 true",
    ],
    ["POST /x HTTP/1.1\r\nContent-Length: 3\r\n\r\nab", "incomplete"],
    ["POST /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n", "incomplete"],
  ];
  for (const [text, wanted] of cases) assert.equal(describe(parse(text)), wanted, JSON.stringify(text));
});

test("what is malformed, ambiguous or too large is refused with its status", () => {
  const chunked = "POST /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
  const cases: [string, number][] = [
    ["hello\r\n\r\n", 400],
    ["GET /a b HTTP/1.1\r\n\r\n", 400],
    ["GET /x HTTP/2.0\r\n\r\n", 505],
    ["GET /x HTTP/1.1\r\nno colon\r\n\r\n", 400],
    ["GET /x HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n", 400],
    ["POST /x HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n", 400],
    ["POST /x HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400],
    ["POST /x HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", 400],
    ["POST /x HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n", 501],
    ["POST /x HTTP/1.1\r\nContent-Length: 5001\r\n\r\n", 413],
    [`${chunked}zz\r\n`, 400],
    [`${chunked}1389\r\n`, 413],
    [`${chunked}3\r\nabcd\r\n`, 400],
    [`GET /x HTTP/1.1\r\nA: ${"a".repeat(1001)}`, 431],
    [`${chunked}3${" ".repeat(300)}`, 400],
  ];
  for (const [text, status] of cases)
    assert.equal(describe(parse(text)), `error ${status}`, JSON.stringify(text));
});

test("pipelined requests come out the same however the bytes are cut", () => {
  const stream = Buffer.from(
    "POST /a HTTP/1.1\r\nContent-Length: 5\r\n\r\nhelloGET /b HTTP/1.1\r\n\r\n" +
      "POST /c HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nwiki\r\n5\r\npedia\r\n0\r\n\r\nGET /d HTTP/1.1\r\n\r\n",
  );
  for (let seed = 0; seed < 300; seed++) {
    const parser = new RequestParser(LIMITS);
    const seen: string[] = [];
    let n = 0;
    for (let at = 0; at < stream.length; ) {
      const size = 1 + Math.floor(uniformAt(seed, n++) * 20);
      parser.feed(stream.subarray(at, at + size));
      at += size;
      for (let result = parser.next(); result.kind === "request"; result = parser.next()) {
        seen.push(`${result.request.path} ${result.request.body.toString()}`);
      }
    }
    assert.deepEqual(seen, ["/a hello", "/b ", "/c wikipedia", "/d "], `seed ${seed}`);
    assert.equal(parser.bufferedBytes, 0, `seed ${seed}`);
  }
});
