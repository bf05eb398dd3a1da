import assert from "node:assert/strict";
import { test } from "node:test";
import { untilHolds } from "./until-holds.js";

test("it is looked at until it holds, or the time is over", async () => {
  let looks = 0;
  assert.equal(await untilHolds(() => ++looks === 3, 30_000), true);
  assert.equal(looks, 3);
  assert.equal(await untilHolds(() => false, 1), false);
});
