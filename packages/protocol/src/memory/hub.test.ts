import assert from "node:assert/strict";
import { test } from "node:test";
import { settle, VirtualClock } from "@tokenstorm/testkit";
import { createMemoryHub } from "./hub.js";

const nothing = new Uint8Array(0);

test("a request that nobody answers ends at its limit in virtual time", async () => {
  const clock = new VirtualClock();
  const { bus } = createMemoryHub({ clock }).connect();
  bus.subscribe("silent", () => undefined);
  let ended = false;
  const asked = bus.request("silent", nothing, { timeoutMs: 200 }).then((answer) => {
    assert.equal(answer, undefined);
    ended = true;
  });
  await clock.advanceToAsync(199_999);
  assert.equal(ended, false);
  await clock.advanceToAsync(200_000);
  await asked;
  assert.equal(clock.pending, 0);
});

test("an answered request leaves no timer behind, and only its first answer counts", async () => {
  const clock = new VirtualClock();
  const hub = createMemoryHub({ clock });
  const [asker, answerer] = [hub.connect(), hub.connect()];
  answerer.bus.subscribe("ask", (message) => {
    message.respond(Uint8Array.of(1));
    message.respond(Uint8Array.of(2));
  });
  assert.deepEqual(await asker.bus.request("ask", nothing, { timeoutMs: 1000 }), Uint8Array.of(1));
  await settle();
  assert.equal(clock.pending, 0);
});

test("closing ends what one client waits for and hears, and leaves the others alone", async () => {
  const clock = new VirtualClock();
  const hub = createMemoryHub({ clock });
  const [gone, stays] = [hub.connect(), hub.connect()];
  const heard: string[] = [];
  gone.bus.subscribe("x", () => heard.push("gone"));
  stays.bus.subscribe("x", () => heard.push("stays"));
  await gone.log.follow("r1", () => heard.push("gone"));
  stays.bus.subscribe("silent", () => undefined);
  const asked = gone.bus.request("silent", nothing, { timeoutMs: 1000 });
  stays.bus.publish("x", nothing);
  await gone.close();
  assert.equal(await asked, undefined);
  await stays.log.append({ run: "r1", agent: "a", epoch: 1, kind: "snapshot", seq: 1, resend: 0 }, nothing, {
    timeoutMs: 1000,
  });
  await settle();
  assert.deepEqual(heard, ["stays"]);
  assert.equal(clock.pending, 0);
});
