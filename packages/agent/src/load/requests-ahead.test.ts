import assert from "node:assert/strict";
import { test } from "node:test";
import { type RequestKey, requestId } from "@tokenstorm/core";
import { VirtualClock } from "@tokenstorm/testkit";
import type { BuiltRequest } from "./request-factory.js";
import { RequestsAhead } from "./requests-ahead.js";

const key = (user: number): RequestKey => ({ kind: "closed", stage: 0, user, j: 0 });

function open(
  options: { readonly maxBytes?: number; readonly buildUs?: number; readonly steps?: number } = {},
) {
  const clock = new VirtualClock();
  const built: string[] = [];
  const slices: number[] = [];
  let nowUs = 0;
  const ahead = new RequestsAhead({
    run: "r",
    maxBytes: options.maxBytes ?? 1_000_000,
    // Building takes time, which a virtual clock does not show by itself.
    clock: {
      nowUs: () => nowUs,
      wallMs: () => 0,
      at: (_us, fn) =>
        clock.at(clock.nowUs(), () => {
          const before = built.length;
          fn();
          slices.push(built.length - before);
        }),
    },
    factory: {
      *build(wanted, dueUs): Generator<undefined, BuiltRequest> {
        const steps = options.steps ?? 1;
        for (let step = 1; step <= steps; step += 1) {
          nowUs += (options.buildUs ?? 0) / steps;
          if (step < steps) yield;
        }
        const id = requestId("r", wanted, dueUs);
        built.push(id);
        const body = new Uint8Array(100);
        return {
          request: { key: wanted, id, url: 0, body, exactOutputTokens: null },
          asked: { promptTokens: 1, outputTokens: 1, member: 0, images: 0 },
        };
      },
    },
  });
  return { ahead, built, slices, clock };
}

test("what is wanted is built when there is time, not in the call that asks, and is there when it is taken", () => {
  const { ahead, built, clock } = open();
  ahead.want(key(1), 0);
  ahead.want(key(1), 0);
  assert.equal(built.length, 0);
  clock.advanceBy(1);
  assert.deepEqual(built, ["ts-r-s0-u1-j0"]);
  assert.equal(ahead.take(key(1), 0).request.id, "ts-r-s0-u1-j0");
  assert.equal(built.length, 1);
  assert.equal(ahead.builtLate, 0);
  assert.equal(ahead.bytes, 0);
});

test("what is taken too early is built on the spot, counted, and not built again", () => {
  const { ahead, built, clock } = open();
  ahead.want(key(1), 0);
  ahead.take(key(1), 0);
  ahead.take(key(2), 0);
  clock.advanceBy(1);
  assert.deepEqual(built, ["ts-r-s0-u1-j0", "ts-r-s0-u2-j0"]);
  assert.equal(ahead.builtLate, 2);
});

test("a slice ends after a millisecond, and the rest is built in calls of their own", () => {
  const { ahead, slices, clock } = open({ buildUs: 300 });
  for (let user = 0; user < 10; user += 1) ahead.want(key(user), 0);
  clock.advanceBy(1);
  assert.deepEqual(slices, [4, 4, 2]);
});

test("building stops at the bound of memory and goes on when something is taken or forgotten", () => {
  const { ahead, built, clock } = open({ maxBytes: 250 });
  for (let user = 0; user < 6; user += 1) ahead.want(key(user), 0);
  clock.advanceBy(100);
  assert.equal(built.length, 3);
  ahead.take(key(0), 0);
  clock.advanceBy(100);
  assert.equal(built.length, 4);
  ahead.forget(key(1), 0);
  clock.advanceBy(100);
  assert.equal(built.length, 5);
  assert.equal(ahead.bytes, 300);
});

test("what was forgotten before its turn is never built, and nothing is built after close", () => {
  const { ahead, built, clock } = open();
  ahead.want(key(1), 0);
  ahead.want(key(2), 0);
  ahead.forget(key(1), 0);
  clock.advanceBy(1);
  assert.deepEqual(built, ["ts-r-s0-u2-j0"]);
  ahead.want(key(3), 0);
  ahead.close();
  ahead.close();
  ahead.want(key(4), 0);
  clock.advanceBy(1);
  assert.equal(built.length, 1);
  assert.equal(clock.pending, 0);
});

test("a request that takes long is built over several slices, none longer than its time and a step", () => {
  const { ahead, built, slices, clock } = open({ buildUs: 10_000, steps: 100 });
  ahead.want(key(1), 0);
  ahead.want(key(2), 0);
  clock.advanceBy(1);
  assert.equal(built.length, 2);
  // 200 steps of 100 us, ten to a slice of 1 ms.
  assert.equal(slices.length, 20);
  for (const one of [key(1), key(2)]) ahead.take(one, 0);
  assert.equal(ahead.builtLate, 0);
});

test("what is taken when it is half built is finished on the spot, and not begun again", () => {
  const { ahead, built, clock } = open({ buildUs: 10_000, steps: 100 });
  ahead.want(key(1), 0);
  // After the first slice, and before the second.
  let taken: RequestKey | null = null;
  clock.at(clock.nowUs(), () => {
    assert.equal(built.length, 0);
    taken = ahead.take(key(1), 0).request.key;
  });
  clock.advanceBy(1);
  assert.deepEqual([taken, built.length, ahead.builtLate], [key(1), 1, 1]);
  ahead.close();
});
