import assert from "node:assert/strict";
import { test } from "node:test";
import { percentile, stampErrorsUs, stepLagsUs } from "./stamp-errors.js";
import { decodeWrites, WriteLog } from "./write-log.js";

/** user, ordinal, written; began, lag. */
function writesOf(rows: readonly [number, number, number][], steps: readonly [number, number][] = []) {
  const log = new WriteLog();
  for (const row of rows) log.add(...row);
  for (const step of steps) log.addStep(...step);
  return decodeWrites(log.encode());
}

/** user, ordinal, read. */
const stampsOf = (rows: readonly [number, number, number][]) => ({
  users: Int32Array.from(rows.map(([user]) => user)),
  ordinals: Int32Array.from(rows.map(([, ordinal]) => ordinal)),
  readUs: Float64Array.from(rows.map(([, , us]) => us)),
});

test("each read is held against the write of the same token of the same user, whatever came between", () => {
  const writes = writesOf([
    [7, 126, 1000],
    [3, 5, 1001],
    [7, 127, 2000],
    [7, 128, 3000],
  ]);
  const errors = stampErrorsUs(
    stampsOf([
      [7, 127, 2010],
      [3, 5, 2011],
      [7, 128, 3700],
    ]),
    writes,
  );
  assert.deepEqual([...errors], [10, 700, 1010]);
});

test("an event whose write is not known is infinitely late, never on time", () => {
  const writes = writesOf([[1, 10, 100]]);
  const errors = stampErrorsUs(
    stampsOf([
      [1, 9, 101],
      [2, 10, 101],
      [1, 11, 102],
      [1, 10, 103],
    ]),
    writes,
  );
  assert.deepEqual([...errors], [3, Infinity, Infinity, Infinity]);
});

test("the server's lag is that of its steps within the window alone", () => {
  const writes = writesOf(
    [[1, 0, 150]],
    [
      [99, 99],
      [100, 10],
      [199, 1],
      [200, 200],
    ],
  );
  assert.deepEqual([...stepLagsUs(writes, { fromUs: 100, toUs: 200 })], [1, 10]);
});

test("a percentile is a value that was seen, and that of nothing is 0", () => {
  const ten = Float64Array.from([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  assert.deepEqual(
    [0.5, 0.9, 0.91, 1].map((share) => percentile(ten, share)),
    [5, 9, 10, 10],
  );
  assert.equal(percentile(new Float64Array(), 0.9), 0);
});

test("a log that is cleared begins anew", () => {
  const log = new WriteLog();
  log.add(1, 2, 3);
  log.addStep(4, 5);
  log.clear();
  log.add(6, 7, 8);
  const { users, ordinals, writtenUs, lagUs } = decodeWrites(log.encode());
  assert.deepEqual([[...users], [...ordinals], [...writtenUs], [...lagUs]], [[6], [7], [8], []]);
});
