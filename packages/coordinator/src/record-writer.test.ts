import assert from "node:assert/strict";
import { test } from "node:test";
import { LoadError, type RecordChange } from "@tokenstorm/core";
import { createMemoryHub, decodeRunRecord, encodeRunRecord, type StateStore } from "@tokenstorm/protocol";
import { aPlan, aRunRecord, VirtualClock } from "@tokenstorm/testkit";
import { RecordWriter } from "./record-writer.js";

const S = 1_000_000;
const KEY = "run.r1";
/** The store gives a question up after so long, as NATS does. */
const STORE_LIMIT_US = 5 * S;

/** A leader's writer, on a store that does what it is asked, at once but for `landsUs`, and answers when a test says. */
async function scene(answerUs: () => number, landsUs = 0) {
  const clock = new VirtualClock({ nowUs: 5 * S });
  const { state: store } = createMemoryHub({ clock }).connect();
  const record = aRunRecord(aPlan(), { id: "r1", state: "running", term: 1 });
  const revision = await store.compareAndSet(KEY, encodeRunRecord(record), undefined);
  assert.ok(revision !== undefined);
  const told: string[] = [];
  const questions = { asked: 0 };
  const pass = (us: number) => new Promise<void>((resolve) => clock.at(clock.nowUs() + us, resolve));
  const late = async <T>(question: () => Promise<T>): Promise<T> => {
    questions.asked += 1;
    const waitUs = answerUs();
    if (waitUs > 0 && landsUs > 0) await pass(landsUs);
    const answer = await question();
    const isGivenUp = waitUs > STORE_LIMIT_US;
    await pass(isGivenUp ? STORE_LIMIT_US : waitUs);
    if (isGivenUp) throw new LoadError("BUS_UNAVAILABLE", "the store did not answer");
    return answer;
  };
  const state: StateStore = {
    get: (key) => late(() => store.get(key)),
    compareAndSet: (key, value, expected) => late(() => store.compareAndSet(key, value, expected)),
    keys: (prefix) => store.keys(prefix),
    delete: (key) => store.delete(key),
  };
  const tell = (what: string) => () => told.push(`${what} at ${(clock.nowUs() - 5 * S) / S}`);
  const writer = new RecordWriter({
    state,
    clock,
    stored: { key: KEY, record, revision },
    term: 1,
    isLeading: () => true,
    onWritten: tell("written"),
    onLate: tell("late"),
    onRefusal: tell("refused"),
    onStop: tell("stop"),
    onRestored: tell("restored"),
    onTaken: tell("taken"),
    onUnwritable: tell("unwritable"),
    onFailure: tell("failure"),
  });
  const kept = async () => decodeRunRecord((await store.get(KEY))?.value ?? Uint8Array.of());
  return { clock, writer, told, questions, kept };
}

const drain: RecordChange = { name: "drain", fields: { state: "draining" } };

for (const seconds of [0, 1, 1.6, 2, 3, 4.9])
  test(`a store that answers each question after ${seconds} s takes a change once`, async () => {
    const { clock, writer, told, kept } = await scene(() => seconds * S);
    writer.write(drain, null);
    await clock.advanceByAsync(30 * S);
    assert.match(told.join(), /^written at [\d.]+$/);
    assert.equal((await kept()).revision, writer.record.revision);
    // It has learned how slow the store is.
    const fromUs = clock.nowUs();
    writer.write({ name: "deliver", fields: { state: "delivering" } }, null);
    await clock.advanceByAsync(30 * S);
    assert.equal(told[1], `written at ${(fromUs - 5 * S) / S + seconds}`);
    assert.equal(told.length, 2);
  });

test("one answer that is lost costs two seconds, and not the store's five", async () => {
  let isLost = true;
  const { clock, writer, told } = await scene(() => {
    const waitUs = isLost ? Number.POSITIVE_INFINITY : 0;
    isLost = false;
    return waitUs;
  });
  writer.write(drain, null);
  await clock.advanceByAsync(10 * S);
  assert.deepEqual(told, ["written at 2"]);
});

test("a store that answers nothing is looked at once more when it answers again, however often it was to be", async () => {
  let isGone = true;
  const { clock, writer, told, questions } = await scene(() => (isGone ? Number.POSITIVE_INFINITY : 0));
  for (let second = 0; second < 60; second += 1) {
    writer.refresh();
    await clock.advanceByAsync(S);
  }
  isGone = false;
  const { asked } = questions;
  writer.write(drain, null);
  await clock.advanceByAsync(10 * S);
  assert.equal(told.length, 1);
  // The write, and one look at the most that waited.
  assert.ok(questions.asked - asked <= 2, `${questions.asked - asked} questions`);
});

test("a commit that may have landed is looked for when no agent heeds it any more", async () => {
  let isLost = true;
  // Given up after 1.5 s and looked for after 2, it would not be there yet; agents heed it until 2.2.
  const { clock, writer, told } = await scene(() => (isLost ? Number.POSITIVE_INFINITY : 0), 2.1 * S);
  const start = { attempt: 1, committed: true, leaderUs: clock.nowUs() + 2.4 * S, epochUs: 0, localUs: {} };
  writer.write({ name: "commit", fields: { start } }, clock.nowUs() + 1.9 * S);
  await clock.advanceByAsync(0.1 * S);
  isLost = false;
  await clock.advanceByAsync(10 * S);
  assert.deepEqual(told, ["written at 2.3"]);
});
