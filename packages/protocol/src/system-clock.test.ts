import assert from "node:assert/strict";
import { test } from "node:test";
import { systemClock } from "./system-clock.js";

test("the system clock counts whole microseconds of the kernel's monotonic clock", () => {
  const before = Number(process.hrtime.bigint() / 1000n);
  const now = systemClock().nowUs();
  const after = Number(process.hrtime.bigint() / 1000n);
  assert.ok(Number.isSafeInteger(now));
  assert.ok(before <= now && now <= after);
});

test("a call is never early", async () => {
  const clock = systemClock();
  const startUs = clock.nowUs();
  const offsets = [0, 300, 900, 1000, 2500, 4999, 7000, 12_345];
  const seen: { offset: number; lateUs: number }[] = [];
  await new Promise<void>((resolve) => {
    for (const offset of offsets) {
      clock.at(startUs + offset, () => {
        seen.push({ offset, lateUs: clock.nowUs() - (startUs + offset) });
        if (seen.length === offsets.length) resolve();
      });
    }
  });
  assert.equal(new Set(seen.map((call) => call.offset)).size, offsets.length);
  for (const call of seen) assert.ok(call.lateUs >= 0, `${call.offset} was called ${-call.lateUs} us early`);
});

test("a time that has passed is called soon, but not from within at()", async () => {
  const clock = systemClock();
  let isInside = true;
  const called = new Promise<boolean>((resolve) =>
    clock.at(clock.nowUs() - 5_000_000, () => resolve(isInside)),
  );
  isInside = false;
  assert.equal(await called, false);
});

test("a cancelled call does not come, and cancelling twice does no harm", async () => {
  const clock = systemClock();
  let calls = 0;
  for (const offset of [-1, 500, 3000]) {
    const cancel = clock.at(clock.nowUs() + offset, () => {
      calls += 1;
    });
    cancel();
    cancel();
  }
  await new Promise<void>((resolve) => clock.at(clock.nowUs() + 6000, resolve));
  assert.equal(calls, 0);
});
