import assert from "node:assert/strict";
import { test } from "node:test";
import { LoadError, type PlanInput } from "@tokenstorm/core";
import {
  decodeFinal,
  decodeSnapshot,
  decodeSpool,
  type ResultId,
  type Transport,
} from "@tokenstorm/protocol";
import { Cluster, RUN, type TestAgent } from "../testing/cluster.js";
import { checkBooks } from "../testing/looks.js";

const load: PlanInput["load"] = {
  kind: "users",
  stages: [{ users: 4, rampUpMs: 0, settleMs: 0, durationMs: 4000 }],
};

interface Append {
  readonly id: ResultId;
  readonly data: Uint8Array;
}

/** The hub's log, with a record of every append, and down when the test says so. */
function watchedLog(appends: Append[], isDown: () => boolean) {
  return (transport: Transport): Transport => ({
    ...transport,
    log: {
      ...transport.log,
      append: async (id, data, options) => {
        appends.push({ id, data: data.slice() });
        if (isDown()) throw new LoadError("BUS_UNAVAILABLE", "no acknowledgement in time");
        return transport.log.append(id, data, options);
      },
    },
  });
}

test("through an outage of the log every interval arrives, under its first id and with its first bytes", async () => {
  const cluster = new Cluster();
  const appends: Append[] = [];
  let isDown = false;
  const agent = await cluster.addAgent("a1", { transport: watchedLog(appends, () => isDown) });
  await cluster.start({ load });
  await cluster.runTo(1_500_000);
  isDown = true;
  await cluster.runTo(6_500_000);
  assert.equal(cluster.last(agent).state, "delivering");
  assert.equal(cluster.last(agent).lastAcked, 1);
  isDown = false;
  await cluster.runTo(14_000_000);
  assert.equal(cluster.last(agent).state, "done");
  assert.equal(cluster.last(agent).lastAcked, cluster.last(agent).lastCut);
  const first = new Map<string, Uint8Array>();
  for (const { id, data } of appends) {
    assert.equal(id.resend, 0);
    const name = `${id.kind} ${id.seq}`;
    assert.deepEqual(data, first.get(name) ?? data, `${name} changed`);
    first.set(name, data);
  }
  assert.ok(appends.length > first.size, "something was sent again");
  await cluster.close();
  assert.deepEqual(await agent.exit, { code: 0, spooled: [] });
});

test("what the leader misses is sent again under a new id, but not for another epoch or another agent", async () => {
  const cluster = new Cluster();
  const appends: Append[] = [];
  const agent = await cluster.addAgent("a1", { transport: watchedLog(appends, () => false) });
  cluster.isConfirming = false;
  await cluster.start({ load });
  await cluster.runTo(4_500_000);
  cluster.sendBeacon({ resend: { a1: { epoch: 6, seqs: [1], final: false } } });
  cluster.sendBeacon({ resend: { a2: { epoch: 7, seqs: [1], final: false } } });
  await cluster.runTo(4_700_000);
  assert.equal(appends.filter(({ id }) => id.resend > 0).length, 0);
  cluster.sendBeacon({ resend: { a1: { epoch: 7, seqs: [1], final: false } } });
  await cluster.runTo(4_900_000);
  assert.deepEqual(
    appends.filter(({ id }) => id.resend > 0).map(({ id }) => [id.kind, id.seq, id.resend]),
    [["snapshot", 1, 1]],
  );
  assert.equal(agent.spool.size, 0);
  await cluster.close();
});

test("confirmations for another epoch free nothing", async () => {
  const cluster = new Cluster();
  const agent = await cluster.addAgent("a1");
  cluster.isConfirming = false;
  await cluster.start({ load, deliverMs: 2000 });
  await cluster.runTo(5_000_000);
  cluster.sendBeacon({ confirmed: { a1: { epoch: 6, seq: 1000, final: true } } });
  await cluster.runTo(5_500_000);
  assert.equal(cluster.last(agent).state, "delivering");
  cluster.sendBeacon({ confirmed: { a1: { epoch: 7, seq: 1000, final: true } } });
  await cluster.runTo(5_600_000);
  assert.equal(cluster.last(agent).state, "done");
  await cluster.close();
});

test("past deliverMs the unconfirmed results are in a spool file that reads back, and the exit code is 1", async () => {
  const cluster = new Cluster();
  const agent = await cluster.addAgent("a1");
  cluster.isConfirming = false;
  await cluster.start({ load, deliverMs: 2000 });
  await cluster.runTo(2_500_000);
  cluster.sendBeacon({ confirmed: { a1: { epoch: 7, seq: 1, final: false } } });
  await cluster.runTo(9_000_000);
  const { state, problem } = cluster.last(agent);
  assert.equal(state, "done");
  assert.match(problem?.message ?? "", /not confirmed in time; they are in \/spool\/r1-a1-e7\.spool\.ndjson/);
  const [[name, bytes] = ["", new Uint8Array()]] = [...agent.spool];
  const entries = decodeSpool(bytes, name);
  assert.deepEqual(
    entries.map(({ run, agent: id, epoch, kind, seq }) => [run, id, epoch, kind, seq]),
    [...[2, 3, 4, 5].map((seq) => [RUN, "a1", 7, "snapshot", seq]), [RUN, "a1", 7, "final", 5]],
  );
  for (const { kind, data, seq } of entries)
    assert.equal(kind === "final" ? decodeFinal(data).lastSeq : decodeSnapshot(data).seq, seq);
  assert.ok(agent.lines.some(({ level, message }) => level === "error" && message.includes(name)));
  await cluster.close();
  assert.deepEqual(await agent.exit, { code: 1, spooled: [`/spool/${name}`] });
});

test("a spool file that cannot be written is said to be lost, and nothing hangs", async () => {
  const cluster = new Cluster();
  const agent: TestAgent = await cluster.addAgent("a1", {
    deps: {
      writeSpool: async () => {
        throw new Error("no space left on device");
      },
    },
  });
  cluster.isConfirming = false;
  await cluster.start({ load, deliverMs: 1000 });
  await cluster.runTo(9_000_000);
  assert.equal(cluster.last(agent).state, "done");
  assert.match(cluster.last(agent).problem?.message ?? "", /could not be written: no space left/);
  await cluster.close();
  assert.deepEqual(await agent.exit, { code: 1, spooled: [] });
});

test("intervals that had to be given up are counted in the final, and the log still has them", async () => {
  const cluster = new Cluster();
  const agent = await cluster.addAgent("a1", { deps: { options: { retainBytes: 4000 } } });
  cluster.isConfirming = false;
  await cluster.start({ load });
  await cluster.runTo(6_000_000);
  const [final] = cluster.finals;
  const given = agent.lines.map(({ fields }) => Number(fields?.["acknowledged"] ?? 0));
  const sum = given.reduce((total, count) => total + count, 0);
  assert.ok(sum >= 1 && sum < 5, `${sum}`);
  // Its own coming may have cost some more.
  assert.ok(final !== undefined && final.evicted >= 1 && final.evicted <= sum, `${final?.evicted} of ${sum}`);
  checkBooks(cluster);
  await cluster.close();
});

test("a log that refuses the agent is its problem in the heartbeat, and the run goes on", async () => {
  const cluster = new Cluster();
  const agent = await cluster.addAgent("a1", {
    transport: (transport) => ({
      ...transport,
      log: {
        ...transport.log,
        append: async () => {
          throw new LoadError("BUS_DENIED", "ts.v1.res.r1.a1.snapshot: permissions violation");
        },
      },
    }),
  });
  await cluster.start({ load });
  await cluster.runTo(2_500_000);
  assert.equal(cluster.last(agent).state, "running");
  assert.equal(cluster.last(agent).problem?.code, "BUS_DENIED");
  await cluster.close();
});
