import assert from "node:assert/strict";
import { test } from "node:test";
import type { StepOutput } from "./engine/engine.js";
import { FrontEnd } from "./front-end.js";

function output(id: number, ordinal: number): StepOutput {
  return { id, ordinal, token: 1, word: 0, finish: null };
}

/** A front end on a clock that the test moves; `events` has what each answer got together, and when. */
function scripted(costUs: number) {
  const events: { id: number; atUs: number; ordinals: number[] }[] = [];
  let nowUs = 0;
  let wake: { us: number; call: () => void } | undefined;
  const frontEnd = new FrontEnd({
    costUs,
    nowUs: () => nowUs,
    at: (us, call) => {
      wake = { us, call };
      return () => {
        wake = undefined;
      };
    },
  });
  const consumers = new Map<number, { hold(o: StepOutput): void; release(o: StepOutput): void }>();
  const consumerOf = (id: number) => {
    let ordinals: number[] = [];
    const known = consumers.get(id) ?? {
      hold: (o: StepOutput) => ordinals.push(o.ordinal),
      release: (o: StepOutput) => {
        events.push({ id, atUs: nowUs, ordinals: [...ordinals, o.ordinal] });
        ordinals = [];
      },
    };
    consumers.set(id, known);
    return known;
  };
  const goTo = (us: number): void => {
    while (wake !== undefined && wake.us <= us) {
      const { us: at, call } = wake;
      wake = undefined;
      nowUs = Math.max(nowUs, at);
      call();
    }
    nowUs = us;
  };
  /** The timer that was due before comes only now. */
  const jumpTo = (us: number): void => {
    nowUs = us;
    const due = wake;
    wake = undefined;
    due?.call();
  };
  const step = (atUs: number, ids: readonly number[], ordinal: number): void => {
    goTo(atUs);
    for (const id of ids) frontEnd.push(consumerOf(id), output(id, ordinal));
    frontEnd.run();
  };
  return { events, step, goTo, jumpTo, frontEnd, isIdle: () => wake === undefined };
}

test("a front end that keeps up hands out each token alone, one after the other", () => {
  const { events, step, goTo } = scripted(100);
  for (let i = 1; i <= 3; i++) step(i * 1000, [1, 2, 3], i);
  goTo(10_000);
  assert.deepEqual(
    events.map(({ id, atUs, ordinals }) => [id, atUs, ordinals.length]),
    [1, 2, 3].flatMap((i) => [1, 2, 3].map((id) => [id, 1000 * i + 100 * id, 1])),
  );
});

test("a front end that is late merges the tokens of one answer, loses none, and does not fall behind for ever", () => {
  const { events, step, goTo, isIdle } = scripted(100);
  const ids = Array.from({ length: 30 }, (_, i) => i);
  // 30 hand-overs take 3 ms, a step 1 ms: three tokens in each event.
  for (let i = 1; i <= 60; i++) step(i * 1000, ids, i);
  goTo(1e6);
  for (const id of ids) {
    const mine = events.filter((event) => event.id === id);
    assert.deepEqual(
      mine.flatMap(({ ordinals }) => ordinals),
      Array.from({ length: 60 }, (_, i) => i + 1),
    );
    const sizes = mine.slice(1, -1).map(({ ordinals }) => ordinals.length);
    assert.ok(
      sizes.every((size) => size === 3),
      `${id}: ${sizes}`,
    );
  }
  assert.ok(Math.max(...events.map(({ atUs }) => atUs)) <= 63_200);
  assert.ok(isIdle());
});

test("a timer that comes late makes up for it in one go, and the grid of turns stays", () => {
  const { events, step, jumpTo, goTo } = scripted(100);
  step(1000, [0, 1, 2, 3, 4, 5, 6, 7], 1);
  jumpTo(1550);
  assert.equal(events.length, 5, "the turns of 1100 to 1500");
  goTo(10_000);
  assert.deepEqual(
    events.slice(5).map(({ atUs }) => atUs),
    [1600, 1700, 1800],
  );
});

test("a closed front end hands out nothing more", () => {
  const { events, step, goTo, frontEnd } = scripted(100);
  step(1000, [1, 2, 3, 4], 1);
  goTo(1050);
  frontEnd.close();
  goTo(1e6);
  assert.equal(events.length, 0);
});
