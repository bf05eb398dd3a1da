import assert from "node:assert/strict";
import { test } from "node:test";
import { AgentRegistry, REGISTRY_LIMITS } from "./agent-registry.js";
import type { AgentReport } from "./agent-view.js";

const S = 1_000_000;

function report(agent: string, change: Partial<AgentReport> = {}): AgentReport {
  return {
    agent,
    instance: `${agent}-1`,
    host: "h",
    version: "1",
    labels: {},
    state: "idle",
    run: null,
    epoch: 0,
    ready: null,
    armedAttempt: 0,
    startErrorUs: null,
    stage: -1,
    stageDone: -1,
    lastCut: 0,
    lastAcked: 0,
    ledger: null,
    vitals: null,
    problem: null,
    ...change,
  };
}

/** Beacons that come back each second, from 0 up to then. */
function hearing(registry: AgentRegistry, fromS: number, toS: number): void {
  for (let s = fromS; s <= toS; s += 1) registry.beaconReturned(s * S);
}

test("silence counts from the last heartbeat, by the leader's clock", () => {
  const registry = new AgentRegistry();
  hearing(registry, 0, 1);
  registry.heard(report("a"), S);
  hearing(registry, 2, 7);
  assert.equal(registry.views(7 * S).get("a")?.silentUs, 6 * S);
});

test("while the own beacon is away nobody is silent, and after it silence begins anew", () => {
  const registry = new AgentRegistry();
  hearing(registry, 0, 1);
  registry.heard(report("a"), S);
  assert.equal(registry.views(20 * S).get("a")?.silentUs, 0);
  hearing(registry, 20, 22);
  assert.equal(registry.views(22 * S).get("a")?.silentUs, 2 * S);
});

test("a leader that has never heard its own beacon loses nobody", () => {
  const registry = new AgentRegistry();
  registry.heard(report("a"), S);
  assert.equal(registry.views(50 * S).get("a")?.silentUs, 0);
});

test("of two living processes the later is refused for as long as it is heard, and the first stays", () => {
  const registry = new AgentRegistry();
  registry.heard(report("a"), 0);
  assert.deepEqual(registry.heard(report("a", { instance: "a-2" }), 0.5 * S), { isNews: false });
  assert.deepEqual(registry.refused(), []);
  registry.heard(report("a"), S);
  assert.deepEqual(registry.refused(), ["a-2"]);
  registry.heard(report("a", { instance: "a-2", state: "running" }), 2 * S);
  assert.equal(registry.views(2 * S).get("a")?.instance, "a-1");
  registry.heard(report("a"), 2 * S + REGISTRY_LIMITS.refusedUs);
  assert.deepEqual(registry.refused(), []);
});

test("a process that comes back under its old id takes the place of the one that fell silent", () => {
  const registry = new AgentRegistry();
  registry.heard(report("a"), 0);
  for (const s of [1, 2, 3]) registry.heard(report("a", { instance: "a-2" }), s * S);
  assert.equal(registry.views(3 * S).get("a")?.instance, "a-1");
  assert.deepEqual(registry.heard(report("a", { instance: "a-2" }), 4 * S), { isNews: true });
  assert.equal(registry.views(4 * S).get("a")?.instance, "a-2");
  // Should the first one wake up, it is the later one now.
  registry.heard(report("a"), 5 * S);
  registry.heard(report("a", { instance: "a-2" }), 5.5 * S);
  assert.deepEqual(registry.refused(), ["a-1"]);
});

test("while two processes speak under one id it is contested, and then no more, whoever stays", () => {
  const registry = new AgentRegistry();
  const isContested = (nowUs: number) => registry.views(nowUs).get("a")?.isContested;
  registry.heard(report("a"), 0);
  assert.equal(isContested(0), false);
  registry.heard(report("a", { instance: "a-2" }), S);
  assert.equal(isContested(S), true);
  registry.heard(report("a"), 1.5 * S);
  assert.equal(isContested(1.5 * S), false);
  registry.heard(report("a", { instance: "a-3" }), 2 * S);
  assert.equal(isContested(2 * S), true);
  for (const s of [3, 4, 5]) registry.heard(report("a", { instance: "a-3" }), s * S);
  assert.equal(isContested(5 * S), false);
});

test("news is what a decision may hang on", () => {
  const registry = new AgentRegistry();
  assert.equal(registry.heard(report("a"), 0).isNews, true);
  const changes: readonly Partial<AgentReport>[] = [
    { state: "running" },
    { state: "running", run: "r" },
    { state: "running", run: "r", stageDone: 0 },
    { state: "running", run: "r", stageDone: 0, problem: { code: "AGENT_LOST", message: "" } },
  ];
  for (const change of changes) {
    assert.equal(registry.heard(report("a", change), S).isNews, true, JSON.stringify(change));
    assert.equal(registry.heard(report("a", { ...change, lastCut: 7 }), S).isNews, false);
  }
});

test("agents beyond the limit are counted, and one that was silent for long is forgotten", () => {
  const registry = new AgentRegistry();
  for (let i = 0; i < REGISTRY_LIMITS.agents; i += 1) registry.heard(report(`a${i}`), S);
  registry.heard(report("b"), S);
  assert.equal(registry.overflow, 1);
  assert.equal(registry.views(S).size, REGISTRY_LIMITS.agents);
  registry.heard(report("b"), S + REGISTRY_LIMITS.forgottenUs);
  assert.deepEqual([...registry.views(S + REGISTRY_LIMITS.forgottenUs).keys()], ["b"]);
});

test("a number that somebody else made up silences a process for less than it takes to be lost", () => {
  const registry = new AgentRegistry();
  hearing(registry, 0, 9);
  registry.heard(report("a", { state: "running", seq: 7 }), S);
  registry.heard(report("a", { state: "failed", seq: 2 ** 50 }), 2 * S);
  const beats = [8, 9, 10, 11].map((seq, i) =>
    registry.heard(report("a", { state: "running", seq }), (2.5 + i) * S),
  );
  assert.deepEqual(
    beats.map(({ isStale = false }) => isStale),
    [true, true, false, false],
  );
  assert.equal(registry.views(6 * S).get("a")?.state, "running");
});

/** [number, second] of what a process said while it lived, and of what somebody repeated after its end. */
const ends: readonly {
  readonly what: string;
  readonly said: readonly (readonly [number, number])[];
  readonly repeated: readonly number[];
}[] = [
  {
    what: "which had counted on and on",
    said: [14, 15, 16, 17, 18, 19, 20].map((seq, i) => [seq, 1 + i]),
    repeated: [14, 15, 16, 17, 18, 19, 20],
  },
  {
    what: "some of whose heartbeats were lost on their way shortly before",
    said: [...[14, 15, 16, 17, 18].map((seq, i) => [seq, 1 + i] as const), [90, 6]],
    repeated: [12, 13, 14, 15, 16, 17, 18],
  },
  {
    what: "some of whose heartbeats were lost on their way long before",
    said: [...[14, 15].map((seq, i) => [seq, 1 + i] as const), [90, 3], [91, 4], [92, 5], [93, 6], [94, 7]],
    repeated: [80, 90, 91, 92, 93, 94],
  },
  {
    what: "in whose name a number had been made up",
    said: [[14, 1], [15, 2], [2 ** 50, 2.2], ...[16, 17, 18, 19, 20].map((seq, i) => [seq, 3 + i] as const)],
    repeated: [14, 15, 16, 17, 18, 19, 20],
  },
];

for (const { what, said, repeated } of ends) {
  test(`a dead process is not brought back by what it said before: one ${what}`, () => {
    const registry = new AgentRegistry();
    hearing(registry, 0, 30);
    const say = (seq: number, atS: number) => registry.heard(report("a", { seq }), atS * S);
    for (const [seq, atS] of said) say(seq, atS);
    const heardAtUs = registry.views(10 * S).get("a")?.heardAtUs;
    for (const [i, seq] of repeated.entries())
      assert.deepEqual(say(seq, 10 + i), { isNews: false, isStale: true }, `${seq}`);
    assert.equal(registry.views(20 * S).get("a")?.heardAtUs, heardAtUs);
  });
}

test("a number that somebody else made up as the first that is heard, and goes on counting, holds no longer than they do", () => {
  const registry = new AgentRegistry();
  hearing(registry, 0, 12);
  const isStale = (seq: number, atS: number) =>
    registry.heard(report("a", { seq }), atS * S).isStale === true;
  for (let s = 0; s < 6; s += 1) {
    isStale(2 ** 50 + s, 1 + s);
    assert.equal(isStale(7 + s, 1.5 + s), true);
  }
  assert.deepEqual(
    [13, 14, 15].map((seq, i) => isStale(seq, 7.5 + i)),
    [true, false, false],
  );
});

test("what is repeated does not bring a process back while it speaks itself, nor does the same one again and again", () => {
  const registry = new AgentRegistry();
  hearing(registry, 0, 9);
  const say = (seq: number, atS: number) => registry.heard(report("a", { seq }), atS * S).isStale === true;
  say(20, 1);
  for (const [seq, atS] of [
    [5, 1.2],
    [6, 2],
    [21, 2.1],
    [7, 3],
    [22, 3.1],
    [8, 4],
    [8, 5],
    [8, 6],
    [8, 7],
  ] as const)
    assert.equal(say(seq, atS), seq < 20, `${seq} at ${atS} s`);
});

test("a heartbeat that the same process said before changes nothing; one without a number is taken as it comes", () => {
  const registry = new AgentRegistry();
  hearing(registry, 0, 3);
  const running = report("a", { state: "running", seq: 7 });
  registry.heard(running, S);
  for (const seq of [7, 6, 1]) {
    const again = registry.heard(report("a", { state: "failed", seq }), 2 * S);
    assert.deepEqual(again, { isNews: false, isStale: true });
  }
  assert.equal(registry.views(3 * S).get("a")?.state, "running");
  assert.equal(registry.views(3 * S).get("a")?.heardAtUs, S, "it is no sign of life either");
  registry.heard(report("a", { state: "draining" }), 3 * S);
  assert.equal(registry.views(3 * S).get("a")?.state, "draining");
});
