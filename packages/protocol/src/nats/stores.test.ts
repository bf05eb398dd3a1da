import assert from "node:assert/strict";
import { test } from "node:test";
import { JetStreamApiError } from "@nats-io/jetstream";
import { JS_CODES } from "./errors.js";
import { makeWithMostCopies, untilPlaced } from "./stores.js";

const PEERS_MS = 5000;

/** What a cluster answers until some time, and what was asked of it. */
interface Case {
  readonly what: string;
  readonly answers: number;
  readonly untilMs: number;
  readonly peersMs: number;
  /** Copies that were asked for last. */
  readonly copies: number;
  readonly warns: boolean;
  readonly withinMs: readonly [number, number];
}

const cases: readonly Case[] = [
  {
    what: "whose servers find each other within the time they are given",
    answers: JS_CODES.noPeers,
    untilMs: 3000,
    peersMs: PEERS_MS,
    copies: 3,
    warns: false,
    withinMs: [3000, 3500],
  },
  {
    what: "that is a cluster for JetStream only after a while",
    answers: JS_CODES.noReplicas,
    untilMs: 3000,
    peersMs: PEERS_MS,
    copies: 3,
    warns: false,
    withinMs: [3000, 3500],
  },
  {
    what: "whose servers never find each other",
    answers: JS_CODES.noPeers,
    untilMs: Number.POSITIVE_INFINITY,
    peersMs: PEERS_MS,
    copies: 1,
    warns: true,
    withinMs: [PEERS_MS, PEERS_MS + 500],
  },
  {
    what: "whose servers have no room, and will not have any by waiting",
    answers: JS_CODES.noRoomForReplicas,
    untilMs: Number.POSITIVE_INFINITY,
    peersMs: PEERS_MS,
    copies: 1,
    warns: true,
    withinMs: [0, 0],
  },
  {
    what: "in the midst of a run, where there is no time to wait",
    answers: JS_CODES.noPeers,
    untilMs: Number.POSITIVE_INFINITY,
    peersMs: 0,
    copies: 1,
    warns: true,
    withinMs: [0, 0],
  },
];

for (const { what, answers, untilMs, peersMs, copies, warns, withinMs } of cases) {
  test(`a cluster ${what}: ${copies === 3 ? "three copies" : "one copy, and a word of it"}`, async () => {
    const cluster = clusterThat(answers, untilMs);
    await makeWithMostCopies(
      cluster.make,
      { peersMs, onWarning: (text) => cluster.said.push(text) },
      cluster,
    );
    assert.equal(cluster.asked.at(-1), copies);
    assert.equal(cluster.asked.filter((one) => one === 1).length, copies === 1 ? 1 : 0);
    assert.equal(cluster.said.length, warns ? 1 : 0, cluster.said.join("\n"));
    const [fromMs, toMs] = withinMs;
    assert.ok(cluster.nowMs() >= fromMs && cluster.nowMs() <= toMs, `after ${cluster.nowMs()} ms`);
  });
}

test("what is wrong with a cluster otherwise is told, and nothing is made with fewer copies", async () => {
  const cluster = clusterThat(JS_CODES.noMemory, Number.POSITIVE_INFINITY);
  const options = { peersMs: PEERS_MS, onWarning: (text: string) => cluster.said.push(text) };
  await assert.rejects(makeWithMostCopies(cluster.make, options, cluster), JetStreamApiError);
  assert.deepEqual([cluster.asked, cluster.said, cluster.nowMs()], [[3], [], 0]);
});

test("copies that were asked for are waited for as long, and never fewer are made", async () => {
  const soon = clusterThat(JS_CODES.noPeers, 3000);
  await untilPlaced(() => soon.make(3), { peersMs: PEERS_MS }, soon);
  const never = clusterThat(JS_CODES.noPeers, Number.POSITIVE_INFINITY);
  await assert.rejects(
    untilPlaced(() => never.make(3), { peersMs: PEERS_MS }, never),
    JetStreamApiError,
  );
  assert.deepEqual(
    [soon, never].map(({ asked, nowMs }) => [Math.min(...asked), nowMs()]),
    [
      [3, 3000],
      [3, PEERS_MS],
    ],
  );
});

/** Time passes there by waiting alone. */
function clusterThat(answers: number, untilMs: number) {
  let nowMs = 0;
  const asked: number[] = [];
  const said: string[] = [];
  return {
    asked,
    said,
    nowMs: () => nowMs,
    wait: async (ms: number) => {
      nowMs += ms;
    },
    make: async (replicas: number) => {
      asked.push(replicas);
      if (replicas > 1 && nowMs < untilMs)
        throw new JetStreamApiError({ code: 503, err_code: answers, description: "no suitable peers" });
    },
  };
}
