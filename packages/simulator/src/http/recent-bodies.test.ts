import assert from "node:assert/strict";
import { test } from "node:test";
import { parseJsonObject } from "./json-fields.js";
import { RecentBodies } from "./recent-bodies.js";

const body = (text: string, bytes = 20_000) => Buffer.from(JSON.stringify({ text: text.padEnd(bytes, "x") }));

test("of equal long bodies one is read, until others have come since", () => {
  const recent = new RecentBodies();
  let reads = 0;
  const read = (text: string, bytes?: number) =>
    recent.read(body(text, bytes), (one) => {
      reads += 1;
      return parseJsonObject(one);
    });
  const first = read("a");
  assert.equal(read("a"), first);
  assert.notEqual(read("b"), first);
  assert.equal(reads, 2);
  for (const text of "cdefgh") read(text);
  assert.equal(read("a"), first, "eight are kept");
  read("i");
  assert.equal(read("a"), first);
  read("b");
  assert.equal(reads, 10, "the one that was used longest ago goes first");
  read("short", 10);
  read("short", 10);
  assert.equal(reads, 12);
});

test("a body beyond what is kept is read each time, and takes nobody's place", () => {
  const recent = new RecentBodies();
  let reads = 0;
  const read = (one: Buffer) =>
    recent.read(one, (given) => {
      reads += 1;
      return { length: given.length };
    });
  const kept = Buffer.alloc(4 * 1024 * 1024);
  const first = read(kept);
  for (let i = 0; i < 8; i += 1) read(Buffer.alloc(kept.length + 1));
  assert.equal(reads, 9);
  assert.equal(read(Buffer.from(kept)), first);
  assert.equal(reads, 9, "the longest that is kept was kept");
});
