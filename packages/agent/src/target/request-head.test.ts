import assert from "node:assert/strict";
import { test } from "node:test";
import { aPlan } from "@tokenstorm/testkit";
import { createEndpoints } from "./endpoint.js";
import { RequestHead } from "./request-head.js";

const KEY = { kind: "closed", stage: 0, user: 0, j: 0 } as const;

function written(
  url: string,
  headers: readonly string[],
  request: { id?: string; body?: string } = {},
): string {
  const [endpoint] = createEndpoints(aPlan({ target: { urls: [url] } }).target);
  assert.ok(endpoint !== undefined);
  const head = new RequestHead({ endpoint, path: "/v1/completions", headers });
  const body = Buffer.from(request.body ?? "{}");
  return head
    .message({ key: KEY, id: request.id ?? "r1", url: 0, body, exactOutputTokens: null })
    .toString("latin1");
}

test("head and body are one message, its length in bytes", () => {
  assert.equal(
    written("http://[::1]:8000", ["accept", "*/*"], { body: "grün" }),
    "POST /v1/completions HTTP/1.1\r\nhost: [::1]:8000\r\nconnection: keep-alive\r\naccept: */*\r\n" +
      "x-request-id: r1\r\ncontent-length: 5\r\n\r\ngr\xc3\xbcn",
  );
});

test("the port that goes without saying is not said, and a host that the plan names is the host", () => {
  assert.match(written("https://llm.example", []), /\r\nhost: llm\.example\r\n/);
  const named = written("http://10.0.0.1:8000", ["host", "llm.example", "x-team", "storm"]);
  assert.equal(named.match(/host: /g)?.length, 1);
  assert.match(named, /\r\nhost: llm\.example\r\n/);
});

test("an id with a line end would be a header of its own, and is refused", () => {
  assert.throws(() => written("http://10.0.0.1", [], { id: "a\r\nx: y" }), /request id/);
});
