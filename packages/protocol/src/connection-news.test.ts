import assert from "node:assert/strict";
import { test } from "node:test";
import { createConnectionNews } from "./connection-news.js";

test("a connection is said to be lost once, and to be there again; that it was there from the first is no news", () => {
  const news = createConnectionNews();
  const kinds = [
    "connected",
    "disconnected",
    "disconnected",
    "connected",
    "connected",
    "disconnected",
  ] as const;
  const texts = kinds.map((kind) => news({ kind })?.text);
  const lost = "the connection to NATS is lost; it is tried again";
  assert.deepEqual(texts, [undefined, lost, undefined, "connected to NATS again", undefined, lost]);
});
