import assert from "node:assert/strict";
import { test } from "node:test";
import { onInterrupt } from "./interrupt.js";

test("the first signal asks, the second insists, and after closing nobody listens", () => {
  const heard: [number, string][] = [];
  const before = process.listenerCount("SIGINT");
  const interrupts = onInterrupt((count, cause) => heard.push([count, cause]));
  process.emit("SIGINT", "SIGINT");
  process.emit("SIGTERM", "SIGTERM");
  assert.deepEqual(heard, [
    [1, "SIGINT"],
    [2, "SIGTERM"],
  ]);
  assert.equal(interrupts.count, 2);
  interrupts.close();
  interrupts.close();
  assert.equal(process.listenerCount("SIGINT"), before);
});
