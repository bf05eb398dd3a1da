import assert from "node:assert/strict";
import { test } from "node:test";
import { CHILD_ENV, onInterrupt } from "./interrupt.js";

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

test("a child that hears a signal from its parent and from a process manager is asked once", (t) => {
  process.env[CHILD_ENV] = "1";
  t.after(() => {
    delete process.env[CHILD_ENV];
  });
  const heard: [number, string][] = [];
  const interrupts = onInterrupt((count, cause) => heard.push([count, cause]));
  process.emit("SIGTERM", "SIGTERM");
  process.emit("SIGTERM", "SIGTERM");
  assert.deepEqual(heard, [[1, "SIGTERM"]]);
  process.emit("disconnect");
  assert.deepEqual(heard.at(-1), [2, "the end of its parent process"]);
  interrupts.close();
});
