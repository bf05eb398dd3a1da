import assert from "node:assert/strict";
import { test } from "node:test";
import { createRecorder, initialStageStarts, NO_CALIBRATION, resolveStages } from "@tokenstorm/core";
import { aPlan, VirtualClock } from "@tokenstorm/testkit";
import { createFakeTarget } from "../testing/fake-target.js";
import { ClosedLoad } from "./closed-load.js";
import { createRequestFactory } from "./request-factory.js";
import { RequestsAhead } from "./requests-ahead.js";
import { Sender } from "./sender.js";

test("requests that were built for a stage in which they are not sent after all are given up", () => {
  const clock = new VirtualClock();
  const plan = aPlan({
    warmUp: { requests: 0 },
    load: {
      kind: "users",
      stages: [
        { users: 3, rampUpMs: 0, settleMs: 0, durationMs: 100 },
        { users: 1, rampUpMs: 0, settleMs: 0, durationMs: 100 },
      ],
    },
  });
  const stages = resolveStages(plan);
  const startsUs = initialStageStarts(stages);
  const ahead = new RequestsAhead({
    run: "r",
    clock,
    maxBytes: 1_000_000,
    factory: createRequestFactory({ plan, run: "r", salt: "s", model: "m", calibration: NO_CALIBRATION }),
  });
  const recorder = createRecorder({
    run: "r",
    agent: "a",
    epoch: 1,
    stages,
    stageStartsUs: startsUs,
    intervalUs: 1_000_000,
    gracePeriodUs: 1_000_000,
    slos: undefined,
    vitals: () => assert.fail("no interval is cut here"),
    onSnapshot: () => assert.fail("no interval is cut here"),
  });
  const sender = new Sender({
    clock,
    recorder,
    slots: 3,
    startUs: 0,
    target: createFakeTarget({ clock, latencyUs: () => 80_000 }, { plan, slots: 3, env: {} }),
    onEnd: (ended) => load.ended(ended),
  });
  const load: ClosedLoad = new ClosedLoad({
    stages,
    shard: { index: 0, count: 1 },
    fromStage: 0,
    firstSlot: 0,
    recorder,
    sender,
    ahead,
  });
  load.prepareStage(0);
  load.prepareStage(1);
  load.commit(startsUs);
  const seenBytes: number[] = [];
  for (let tUs = 0; tUs <= 400_000; tUs += 10_000) {
    clock.advanceTo(tUs);
    while (load.sendNext(tUs));
    seenBytes.push(ahead.bytes);
  }
  assert.ok(Math.max(...seenBytes) > 0, "they are built ahead");
  assert.equal(ahead.builtLate, 0);
  assert.equal(ahead.bytes, 0);
  assert.equal(load.isPassed(1), true);
});
