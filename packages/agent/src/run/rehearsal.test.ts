import assert from "node:assert/strict";
import { test } from "node:test";
import { rehearse } from "./rehearsal.js";

test("a rehearsal books and codes a minute of intervals without any agent", async () => {
  // 60 snapshots of some kilobytes each; the recorder asserts its own books at every cut.
  assert.ok((await rehearse()) > 60 * 500);
});

test("timers, such as that of the heartbeat, go off while an agent rehearses", async () => {
  let fired = 0;
  const timer = setInterval(() => {
    fired++;
  }, 1);
  try {
    await rehearse();
  } finally {
    clearInterval(timer);
  }
  assert.ok(fired > 5, `${fired} times`);
});
