import assert from "node:assert/strict";
import { closeSync, openSync } from "node:fs";
import { test } from "node:test";
import { systemClock } from "@tokenstorm/protocol";
import { createVitals, type ProcessVitals } from "./vitals.js";

const { nowUs } = systemClock();
const HOST = { nowUs, onNoProbe: (why: string) => assert.fail(why) };

/** Long enough for a timer of the monitor's resolution, by the loop's own turns. */
async function turnsOfTheLoop(ms: number): Promise<void> {
  const until = performance.now() + ms;
  while (performance.now() < until) await new Promise((resolve) => setTimeout(resolve, 1));
}

function busyFor(ms: number): void {
  const until = performance.now() + ms;
  while (performance.now() < until);
}

test("a blocked event loop shows in delay and utilisation of its own interval alone, even right after a reading", async (t) => {
  const vitals = createVitals(HOST);
  t.after(() => vitals.close());
  await turnsOfTheLoop(10);
  vitals.read();
  // Longer than a busy machine takes the processor from an idle process for.
  busyFor(300);
  await turnsOfTheLoop(5);
  const busy = vitals.read();
  assert.ok(busy.loopDelayMaxUs > 40_000, `${busy.loopDelayMaxUs}`);
  assert.ok(busy.loopDelayP99Us > 40_000, `${busy.loopDelayP99Us}`);
  assert.ok(busy.utilisation > 0.5, `${busy.utilisation}`);
  // A busy machine may hold up a later interval as well, for reasons of its own, but not all of them.
  const later: ProcessVitals[] = [];
  const isIdle = (one: ProcessVitals) =>
    one.utilisation < busy.utilisation && one.loopDelayP99Us < busy.loopDelayP99Us;
  while (later.length < 50 && !later.some(isIdle)) {
    await turnsOfTheLoop(50);
    later.push(vitals.read());
  }
  assert.ok(later.some(isIdle), JSON.stringify({ busy, later }));
});

test("every figure is a finite number, the counts are whole, and starvation is utilisation minus CPU", async (t) => {
  const vitals = createVitals(HOST);
  t.after(() => vitals.close());
  for (let round = 0; round < 3; round += 1) {
    const figures = vitals.read();
    for (const [name, value] of Object.entries(figures))
      assert.ok(typeof value === "number" && Number.isFinite(value), `${name} is ${value}`);
    for (const name of [
      "loopDelayP99Us",
      "loopDelayMaxUs",
      "gcUs",
      "throttledUs",
      "rssBytes",
      "descriptors",
    ] as const)
      assert.ok(Number.isSafeInteger(figures[name]) && figures[name] >= 0, `${name} is ${figures[name]}`);
    assert.equal(figures.starvation, figures.utilisation - figures.cpu);
    await turnsOfTheLoop(2);
  }
});

test("open descriptors are counted", { skip: process.platform !== "linux" }, async (t) => {
  const vitals = createVitals(HOST);
  t.after(() => vitals.close());
  assert.ok(vitals.descriptorLimit > 0);
  const settled = async () => {
    vitals.read();
    await turnsOfTheLoop(20);
    return vitals.read().descriptors;
  };
  const before = await settled();
  // Many more than other tests of this process close meanwhile.
  const opened = Array.from({ length: 250 }, () => openSync("/dev/null", "r"));
  t.after(() => {
    for (const descriptor of opened) closeSync(descriptor);
  });
  const after = await settled();
  assert.ok(after >= before + 200, `${before} then ${after}`);
});

test("closing twice does no harm", () => {
  const vitals = createVitals(HOST);
  vitals.close();
  vitals.close();
});
