import assert from "node:assert/strict";
import { test } from "node:test";
import { VirtualClock } from "../virtual-clock.js";
import { ProcessClock } from "./process-clock.js";

test("what a process's clock shows leads back to the true time, whatever its zero point and its pace", () => {
  const world = new VirtualClock({ nowUs: 1_000_000_000 });
  const clocks = [
    new ProcessClock({ world }),
    new ProcessClock({ world, offsetUs: 1_999_000_000, driftPpm: 50 }),
    new ProcessClock({ world, offsetUs: -3_000_000, driftPpm: -50 }),
  ];
  for (let i = 0; i < 5; i += 1) {
    world.advanceBy(7_654_321);
    for (const clock of clocks) {
      const wrongUs = clock.worldUs(clock.nowUs()) - world.nowUs();
      // A clock shows whole microseconds, rounded down.
      assert.ok(Math.abs(wrongUs) <= 1.001, `wrong by ${wrongUs} us`);
    }
  }
});

test("a call is made at the true time at which the process's clock shows its own", () => {
  const world = new VirtualClock({ nowUs: 1_000_000_000 });
  const clock = new ProcessClock({ world, offsetUs: 5_000_000, driftPpm: 50 });
  const dueUs = clock.nowUs() + 2_000_000;
  let calledUs = 0;
  clock.at(dueUs, () => {
    calledUs = world.nowUs();
  });
  world.advanceBy(3_000_000);
  assert.equal(calledUs, Math.ceil(clock.worldUs(dueUs)));
});
