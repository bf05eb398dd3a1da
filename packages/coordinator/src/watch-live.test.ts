import assert from "node:assert/strict";
import { test } from "node:test";
import type { LiveUpdate } from "@tokenstorm/core";
import { type HeardEnd, watchLive } from "@tokenstorm/protocol";
import { VirtualClock } from "@tokenstorm/testkit";
import { Cluster } from "./testing/cluster.js";

function withAgents(): Cluster {
  const cluster = new Cluster(new VirtualClock({ nowUs: 5_000_000 }));
  cluster.coordinate();
  cluster.agent("a1");
  cluster.agent("a2");
  return cluster;
}

/** Watches as one who may do nothing but hear; `ended` is undefined while it goes on. */
function listenTo(cluster: Cluster, run?: string) {
  const live: LiveUpdate[] = [];
  const seen: { live: LiveUpdate[]; ended: HeardEnd | undefined } = { live, ended: undefined };
  const { transport, subjects, clock } = cluster;
  const bus: typeof transport.bus = {
    ...transport.bus,
    publish: () => assert.fail("a viewer said something"),
    request: () => assert.fail("a viewer asked for something"),
  };
  const watch = watchLive(
    { transport: { bus }, subjects },
    { clock, run, onLive: (update) => live.push(update) },
  );
  void watch.ended.then((end) => {
    seen.ended = end;
  });
  return Object.assign(seen, { close: watch.close });
}

test("a viewer that only listens follows a run from before its beginning to its end", async () => {
  const cluster = withAgents();
  const viewer = listenTo(cluster);
  await cluster.pass(3000);
  assert.equal(viewer.live.length, 0);
  await cluster.submit();
  await cluster.untilOver();
  await cluster.pass(1500);
  assert.deepEqual([viewer.ended?.run, viewer.ended?.state], ["r1", "completed"]);
  assert.ok(viewer.live.length >= 4);
  assert.equal(viewer.live.at(-1)?.state, "completed");
});

test("one who waits for a run is not shown the end of the one before, unless it was named", async () => {
  const cluster = withAgents();
  await cluster.submit();
  await cluster.untilOver();
  const anyRun = listenTo(cluster);
  const named = listenTo(cluster, "r");
  const another = listenTo(cluster, "x");
  await cluster.pass(1500);
  assert.deepEqual([anyRun.live.length, anyRun.ended], [0, undefined]);
  assert.equal(named.ended?.state, "completed");
  assert.deepEqual([another.live.length, another.ended], [0, undefined]);
});

test("an end that was not heard is noticed by the beacons that name the run no more", async () => {
  const cluster = withAgents();
  await cluster.submit();
  const viewer = listenTo(cluster);
  await cluster.untilState("running");
  await cluster.pass(1500);
  const { transport, subjects, clock } = cluster;
  assert.ok(viewer.live.length > 0);
  viewer.close();
  const deaf = watchLive(
    {
      transport: {
        bus: {
          ...transport.bus,
          // Hears that it runs, and nothing of its end.
          subscribe: (subject, handler) =>
            transport.bus.subscribe(subject, (message) => {
              const isLive = message.subject !== subjects.beacon;
              if (!isLive || clock.nowUs() < deafFromUs) handler(message);
            }),
        },
      },
      subjects,
    },
    { clock, onLive: () => undefined },
  );
  const deafFromUs = clock.nowUs() + 1_500_000;
  let end: HeardEnd | undefined;
  void deaf.ended.then((heard) => {
    end = heard;
  });
  await cluster.untilOver();
  await cluster.pass(12_000);
  assert.deepEqual([end?.run, end?.state], ["r1", null]);
});

test("a coordinator that falls silent does not make a run look over", async () => {
  const cluster = withAgents();
  await cluster.submit();
  const viewer = listenTo(cluster);
  await cluster.untilState("running");
  await cluster.pass(1500);
  const heard = viewer.live.length;
  assert.ok(heard > 0);
  const { bus } = cluster.transport;
  const silent = watchLive(
    {
      transport: { bus: { ...bus, subscribe: () => ({ close: () => undefined }) } },
      subjects: cluster.subjects,
    },
    { clock: cluster.clock, onLive: () => undefined },
  );
  let isOver = false;
  void silent.ended.then(() => {
    isOver = true;
  });
  await cluster.pass(20_000);
  assert.equal(isOver, false);
  silent.close();
  silent.close();
});
