import assert from "node:assert/strict";
import { test } from "node:test";
import { JetStreamApiError } from "@nats-io/jetstream";
import type { ObjectStore } from "@nats-io/obj";
import { errors } from "@nats-io/transport-node";
import { LoadError } from "@tokenstorm/core";
import { readBlob } from "./blobs.js";

/** Time that passes by waiting alone. */
function ownTime() {
  let nowMs = 17.25;
  return {
    nowMs: () => nowMs,
    wait: async (ms: number) => {
      nowMs += ms;
    },
  };
}

/** A bucket without anything, that answers at once with what `fails` throws; and how often it was asked. */
function bucket(fails: () => void) {
  let asked = 0;
  const get: ObjectStore["get"] = async () => {
    asked += 1;
    fails();
    return null;
  };
  return { get, asked: () => asked };
}

const noLeader = () => {
  throw new Error("JetStream system temporarily unavailable");
};

test("a store that refuses at once for two seconds is asked again until it answers, and not without a pause", async () => {
  const time = ownTime();
  const store = bucket(() => {
    if (time.nowMs() < 2017) noLeader();
  });
  assert.equal(await readBlob(store, "report-r1", time), undefined);
  assert.equal(store.asked(), 5);
});

test("a store that refuses for longer than any transfer may take is given up by then, with its reason", async () => {
  const time = ownTime();
  const store = bucket(noLeader);
  await assert.rejects(
    readBlob(store, "report-r1", time),
    (error) =>
      error instanceof LoadError &&
      error.code === "BUS_UNAVAILABLE" &&
      error.message === "fetching report-r1: JetStream system temporarily unavailable",
  );
  assert.ok(time.nowMs() > 55_000 && time.nowMs() < 60_018, `${time.nowMs()} ms`);
});

test("what is not what its digest says is not asked for again: it would be the same", async () => {
  for (const says of [
    "received a corrupt object, digests do not match",
    "unable to parse digest: SHA-256=",
  ]) {
    const store = bucket(() => {
      throw new Error(says);
    });
    await assert.rejects(readBlob(store, "report-r1", ownTime()), { code: "BUS_UNAVAILABLE" });
    assert.equal(store.asked(), 1, says);
  }
});

test("a store that says nothing is told of in whole milliseconds", async (t) => {
  const time = ownTime();
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const store = bucket(() => undefined);
  const silent = { ...store, get: () => new Promise<null>(() => undefined) };
  const reading = readBlob(silent, "report-r1", { ...time, nowMs: onceThenLate(time.nowMs()) });
  t.mock.timers.tick(60_000);
  await assert.rejects(reading, /NATS did not answer within 4 ms$/);
});

/** Of a reading that began at `fromMs` all but 3.25 ms are gone at once. */
function onceThenLate(fromMs: number): () => number {
  let isFirst = true;
  return () => {
    const nowMs = isFirst ? fromMs : fromMs + 60_000 - 3.25;
    isFirst = false;
    return nowMs;
  };
}

test("a connection that has ended is not asked again", async () => {
  const store = bucket(() => {
    throw new errors.ClosedConnectionError();
  });
  await assert.rejects(readBlob(store, "report-r1", ownTime()), { code: "BUS_UNAVAILABLE" });
  assert.equal(store.asked(), 1);
});

const apiError = (code: number, err_code: number, description: string) =>
  new JetStreamApiError({ code, err_code, description });

test("what the server refuses by what it has or allows is not asked for again", async () => {
  for (const refusal of [
    apiError(500, 10047, "insufficient storage resources available"),
    apiError(500, 10028, "insufficient memory"),
    apiError(400, 10002, "resource limits exceeded for account"),
    apiError(404, 10059, "stream not found"),
  ]) {
    const store = bucket(() => {
      throw refusal;
    });
    await assert.rejects(readBlob(store, "report-r1", ownTime()), { code: "BUS_UNAVAILABLE" });
    assert.equal(store.asked(), 1, refusal.message);
  }
});

test("what it refuses only for the moment is asked for again", async () => {
  for (const refusal of [
    apiError(503, 10008, "JetStream system temporarily unavailable"),
    apiError(400, 10026, "maximum consumers limit reached"),
    apiError(404, 10014, "consumer not found"),
  ]) {
    const time = ownTime();
    const store = bucket(() => {
      if (time.nowMs() < 2017) throw refusal;
    });
    assert.equal(await readBlob(store, "report-r1", time), undefined);
    assert.equal(store.asked(), 5, refusal.message);
  }
});
