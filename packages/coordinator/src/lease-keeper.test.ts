import assert from "node:assert/strict";
import { test } from "node:test";
import { LEASE_LIMITS, LoadError } from "@tokenstorm/core";
import {
  type BusStatus,
  createMemoryHub,
  decodeLease,
  LEADER_KEY,
  type StateStore,
  subjects,
} from "@tokenstorm/protocol";
import { VirtualClock } from "@tokenstorm/testkit";
import { LeaseKeeper } from "./lease-keeper.js";

/** The store gives a question up after so long, as NATS does. */
const STORE_LIMIT_US = 5_000_000;
const S = 1_000_000;

interface Way {
  /** Whether a question comes to the store. */
  readonly isThere: boolean;
  /** Of the answer; beyond the store's limit there is none. */
  readonly answerUs: number;
  /** What it answers instead of what it was asked for. */
  readonly error?: LoadError;
}

const AT_ONCE: Way = { isThere: true, answerUs: 0 };
const NO_ANSWER: Way = { isThere: true, answerUs: Number.POSITIVE_INFINITY };
const GONE: Way = { isThere: false, answerUs: Number.POSITIVE_INFINITY };
const after = (seconds: number): Way => ({ isThere: true, answerUs: seconds * S });

/** One coordinator's lease, on a store whose way a test says. */
class Scene {
  readonly clock = new VirtualClock({ nowUs: 5 * S });
  readonly told: string[] = [];
  way: Way;
  readonly #hub = createMemoryHub({ clock: this.clock });
  readonly store = this.#hub.connect().state;
  readonly keeper: LeaseKeeper;
  readonly #listeners = new Set<(status: BusStatus) => void>();

  constructor(way = AT_ONCE) {
    this.way = way;
    const transport = this.#hub.connect();
    this.keeper = new LeaseKeeper({
      id: "c1",
      instance: "c1-1",
      clock: this.clock,
      transport: {
        bus: {
          ...transport.bus,
          onStatus: (handler) => {
            this.#listeners.add(handler);
            queueMicrotask(() => handler({ kind: "connected" }));
            return { close: () => this.#listeners.delete(handler) };
          },
        },
        state: this.#onItsWay(transport.state),
      },
      subjects: subjects(),
      logger: { info: () => undefined, warn: (text) => this.told.push(text), error: () => undefined },
      onLead: (term) => this.told.push(`leads ${term}`),
      onStop: (why) => this.told.push(why),
      onStandBy: (leader) => this.told.push(`stands by ${leader}`),
      onFailure: (error) => this.told.push(error.message),
    });
  }

  async pass(seconds: number): Promise<void> {
    await this.clock.advanceByAsync(seconds * S);
  }

  /** The connection's own word. */
  tell(kind: "connected" | "disconnected"): void {
    for (const listener of this.#listeners) listener({ kind });
  }

  get listenerCount(): number {
    return this.#listeners.size;
  }

  async wipe(): Promise<void> {
    for (const key of await this.store.keys("")) await this.store.delete(key);
  }

  /** The term under which the lease is held. */
  async heldTerm(): Promise<number | undefined> {
    const found = await this.store.get(LEADER_KEY);
    const entry = found === undefined ? null : decodeLease(found.value);
    return entry === null || entry.isFree ? undefined : entry.term;
  }

  #onItsWay(state: StateStore): StateStore {
    return {
      get: (key) => this.#ask(() => state.get(key)),
      compareAndSet: (key, value, expected) => this.#ask(() => state.compareAndSet(key, value, expected)),
      keys: (prefix) => this.#ask(() => state.keys(prefix)),
      delete: (key) => this.#ask(() => state.delete(key)),
    };
  }

  async #ask<T>(question: () => Promise<T>): Promise<T> {
    const { isThere, answerUs, error } = this.way;
    if (!isThere) return this.#unanswered();
    if (error !== undefined) {
      await this.#wait(answerUs);
      throw error;
    }
    const answer = await question();
    if (answerUs > STORE_LIMIT_US) return this.#unanswered();
    await this.#wait(answerUs);
    return answer;
  }

  async #unanswered(): Promise<never> {
    await this.#wait(STORE_LIMIT_US);
    throw new LoadError("BUS_UNAVAILABLE", "the store did not answer");
  }

  #wait(us: number): Promise<void> {
    return new Promise((resolve) => this.clock.at(this.clock.nowUs() + us, resolve));
  }
}

/** It leads, and is about to renew its lease for the first time. */
async function aboutToRenew(): Promise<Scene> {
  const scene = new Scene();
  await scene.pass(LEASE_LIMITS.renewUs / S - 0.1);
  assert.deepEqual(scene.told.splice(0), ["leads 1"]);
  return scene;
}

const UNANSWERED = "the lease cannot be looked at: the store did not answer within 1500 ms";

/** The store is gone for four seconds, makes its buckets anew then, and the lease is where it was. */
async function assertHeldAgain(scene: Scene): Promise<void> {
  await scene.pass(4);
  scene.way = after(0.4);
  await scene.pass(10);
  assert.equal(await scene.heldTerm(), 1);
  assert.deepEqual(scene.told, [UNANSWERED]);
  assert.ok(scene.keeper.isValid);
}

test("a store that goes as the lease is to be renewed, and comes back empty, is given the lease before its holder stops", async () => {
  const scene = await aboutToRenew();
  scene.way = GONE;
  await scene.wipe();
  await assertHeldAgain(scene);
});

test("so is one that goes when it has refused a renewal, and before it has said whose the lease is", async () => {
  const scene = await aboutToRenew();
  scene.way = after(0.3);
  await scene.wipe();
  await scene.pass(0.3);
  scene.way = GONE;
  await assertHeldAgain(scene);
});

test("whatever was asked while the connection was away is asked again as soon as that is there, 0.7 s after the store", async () => {
  for (const goneS of [1, 2, 3, 4]) {
    const scene = await aboutToRenew();
    scene.way = GONE;
    scene.tell("disconnected");
    await scene.wipe();
    // What is asked before the connection is there again is thrown away, though the store is there.
    await scene.pass(goneS + 0.7);
    scene.way = after(0.3);
    scene.tell("connected");
    await scene.pass(1);
    assert.equal(await scene.heldTerm(), 1, `gone for ${goneS} s`);
    await scene.pass(10);
    assert.deepEqual(
      scene.told.filter((text) => !text.startsWith("the lease cannot be looked at")),
      [],
    );
    assert.ok(scene.keeper.isValid);
  }
});

test("a standby whose connection is there again looks at once", async () => {
  const scene = new Scene(GONE);
  await scene.pass(1);
  scene.tell("disconnected");
  await scene.pass(1);
  scene.way = AT_ONCE;
  scene.tell("connected");
  await scene.pass(0.1);
  assert.equal(scene.told.at(-1), "leads 1");
});

test("a question that was given up for a new connection counts once it is answered", async () => {
  const scene = await aboutToRenew();
  scene.way = after(1.4);
  await scene.pass(0.2);
  scene.tell("disconnected");
  scene.way = NO_ANSWER;
  scene.tell("connected");
  // The new questions are not answered; the first one is, and holds for 8 s from when it was asked.
  await scene.pass(7.5);
  assert.ok(scene.keeper.isValid);
  await scene.pass(1);
  assert.ok(!scene.keeper.isValid);
});

test("what a store refuses after its answer was given up ends the coordinator all the same", async () => {
  const scene = await aboutToRenew();
  scene.way = { ...after(3), error: new LoadError("BUS_DENIED", "no permission") };
  await scene.pass(4);
  assert.equal(scene.told.at(-1), "no permission");
});

test("a renewal that was done though its answer was lost is found to be its own", async () => {
  const scene = await aboutToRenew();
  scene.way = NO_ANSWER;
  await scene.pass(0.2);
  scene.way = AT_ONCE;
  await scene.pass(20);
  assert.deepEqual(scene.told, [UNANSWERED]);
  assert.ok(scene.keeper.isValid);
});

test("a store that answers each question after three seconds costs no lead", async () => {
  const scene = await aboutToRenew();
  scene.way = after(3);
  for (let second = 0; second < 60; second += 1) {
    await scene.pass(1);
    assert.ok(scene.keeper.isValid, `after ${second + 1} s: ${scene.told}`);
  }
  assert.deepEqual(scene.told, [UNANSWERED]);
});

test("whoever does not lead waits for as long as the store does", async () => {
  const scene = new Scene(after(4));
  await scene.pass(13);
  assert.deepEqual(scene.told, ["leads 1"]);
});

test("a leader that is ended while the store is gone waits for two answers of its lease, not for the store's limit", async () => {
  const scene = await aboutToRenew();
  scene.way = GONE;
  await scene.pass(0.2);
  let isReleased = false;
  const released = scene.keeper.release().then(() => {
    isReleased = true;
  });
  await scene.pass((2 * LEASE_LIMITS.answerUs) / S);
  assert.ok(isReleased);
  await released;
});

test("a leader that is ended frees its lease though the store takes up to three seconds", async () => {
  for (const seconds of [0, 1, 1.6, 2, 2.5, 2.9]) {
    const scene = await aboutToRenew();
    scene.way = after(seconds);
    // The renewal is under way.
    await scene.pass(0.2);
    const released = scene.keeper.release();
    await scene.pass(10);
    await released;
    assert.equal(await scene.heldTerm(), undefined, `answers after ${seconds} s`);
    assert.equal(scene.listenerCount, 0);
  }
});

test("a leader whose lease runs out while it frees that waits no longer for it", async () => {
  const scene = await aboutToRenew();
  scene.way = GONE;
  await scene.pass(5.8);
  // A question that is given up after the lease has run out.
  scene.keeper.rival();
  await scene.pass(0.1);
  assert.ok(scene.keeper.isValid);
  let isReleased = false;
  const released = scene.keeper.release().then(() => {
    isReleased = true;
  });
  await scene.pass((2 * LEASE_LIMITS.answerUs) / S);
  assert.ok(isReleased);
  await released;
});
