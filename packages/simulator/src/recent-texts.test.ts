import assert from "node:assert/strict";
import { test } from "node:test";
import { RecentTexts } from "./recent-texts.js";

test("of a long text the work is done once, until others have come since", () => {
  const worked: string[] = [];
  const recent = new RecentTexts((text) => {
    worked.push(text.slice(0, 2));
    return text.length;
  });
  const long = (name: string) => name.padEnd(20_000, "x");
  assert.equal(recent.of(long("a")), 20_000);
  assert.equal(recent.of(long("a")), 20_000);
  assert.deepEqual(worked, ["ax"]);
  for (const name of "bcdefgh") recent.of(long(name));
  recent.of(long("a"));
  assert.equal(worked.length, 8, "eight are kept");
  recent.of(long("i"));
  recent.of(long("a"));
  assert.equal(worked.length, 9, "the one that was used longest ago goes first");
  recent.of(long("b"));
  assert.equal(worked.length, 10);
});

test("a short text is worked out each time", () => {
  let count = 0;
  const recent = new RecentTexts(() => ++count);
  assert.deepEqual([recent.of("a"), recent.of("a")], [1, 2]);
});

test("a text beyond what is kept is worked out each time, and takes nobody's place", () => {
  let count = 0;
  const recent = new RecentTexts(() => ++count);
  const kept = "x".repeat(4 * 1024 * 1024);
  assert.equal(recent.of(kept), 1);
  for (let i = 0; i < 8; i += 1) recent.of(`${kept}y`);
  assert.equal(count, 9);
  assert.equal(recent.of(kept), 1);
});
