import assert from "node:assert/strict";
import { test } from "node:test";
import { rehearseAhead } from "./rehearse-ahead.js";

/** A rehearsal that ends when it is told to. */
function scripted() {
  let nowUs = 0;
  let count = 0;
  let end: () => void = () => undefined;
  const ahead = rehearseAhead(
    () => nowUs,
    () => {
      count += 1;
      return new Promise<void>((resolve) => {
        end = resolve;
      });
    },
  );
  return {
    ahead,
    count: () => count,
    end: () => end(),
    pass: (us: number) => {
      nowUs += us;
    },
  };
}

test("a run that is prepared within a minute of a rehearsal does not wait for another", async () => {
  const { ahead, count, end, pass } = scripted();
  ahead.begin();
  end();
  await ahead.fresh();
  pass(60_000_000);
  await ahead.fresh();
  assert.equal(count(), 1);
});

test("a rehearsal that is under way is waited for, and not made twice", async () => {
  const { ahead, count, end } = scripted();
  ahead.begin();
  let isFresh = false;
  const fresh = ahead.fresh().then(() => {
    isFresh = true;
  });
  await Promise.resolve();
  assert.deepEqual([isFresh, count()], [false, 1]);
  end();
  await fresh;
});

test("what was rehearsed more than a minute ago is rehearsed anew, and so is what never was", async () => {
  const { ahead, count, end, pass } = scripted();
  const first = ahead.fresh();
  end();
  await first;
  pass(60_000_001);
  const second = ahead.fresh();
  assert.equal(count(), 2);
  end();
  await second;
});
