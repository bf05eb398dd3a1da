import assert from "node:assert/strict";
import { test } from "node:test";
import { property } from "@tokenstorm/testkit";
import { DueQueue } from "./due-queue.js";

test("what is not yet due stays", () => {
  const queue = new DueQueue();
  queue.add(20, 1);
  assert.equal(queue.takeDue(19), undefined);
  assert.deepEqual(queue.takeDue(20), { dueUs: 20, item: 1 });
  assert.equal(queue.takeDue(1000), undefined);
  assert.equal(queue.firstDueUs(), undefined);
});

property(
  "comes out by time, equal times by the smaller item, however it was put in and taken out",
  50,
  (random) => {
    const queue = new DueQueue();
    const expected: { dueUs: number; item: number }[] = [];
    for (let round = 0; round < 200; round += 1) {
      const dueUs = random.int(0, 40);
      expected.push({ dueUs, item: round });
      queue.add(dueUs, round);
      if (!random.bool(0.4)) continue;
      expected.sort((one, other) => one.dueUs - other.dueUs || one.item - other.item);
      assert.equal(queue.firstDueUs(), expected[0]?.dueUs);
      assert.deepEqual(queue.takeDue(40), expected.shift());
    }
    expected.sort((one, other) => one.dueUs - other.dueUs || one.item - other.item);
    assert.equal(queue.size, expected.length);
    for (const next of expected) assert.deepEqual(queue.takeDue(40), next);
  },
);
