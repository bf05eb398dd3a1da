import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { connect, headers } from "@nats-io/transport-node";
import { type BusStatus, sha256Of, type Transport } from "@tokenstorm/protocol";
import {
  connectNats,
  type NatsRole,
  type NatsUser,
  type RunningNatsServer,
  rolePermissions,
} from "@tokenstorm/protocol/nats";
import { withNatsServer } from "@tokenstorm/testkit";
import { bytes, inbox, text } from "./transports.js";

const LIMIT = { timeout: 30_000 };
const SOON = { timeoutMs: 2000 };
const DENIED = { name: "LoadError", code: "BUS_DENIED" };

const ROLES = ["coordinator", "agent", "operator", "viewer"] as const;

/** Besides the roles, an agent that is pinned to the name a1. */
const USERS: readonly NatsUser[] = [
  ...ROLES.map((role) => ({ user: role, password: role, ...rolePermissions(role) })),
  {
    user: "agent-a1",
    password: "agent-a1",
    ...rolePermissions("agent", { agent: "a1", inbox: "_INBOX_agent-a1" }),
  },
];

const connectAs = (
  server: RunningNatsServer,
  role: NatsRole,
  more: { readonly user?: string; readonly inboxPrefix?: string } = {},
) => {
  const user = more.user ?? role;
  return connectNats({
    servers: [server.url],
    name: user,
    role,
    user,
    password: user,
    timeoutMs: 2000,
    inboxPrefix: more.inboxPrefix,
  });
};

type Everyone = Readonly<Record<(typeof ROLES)[number], Transport>>;

/** Runs a test's body with one connection for each role. */
async function withEveryone(
  t: TestContext,
  body: (everyone: Everyone, server: RunningNatsServer) => Promise<void>,
): Promise<void> {
  await withNatsServer(
    t,
    async (server) => {
      const coordinator = await connectAs(server, "coordinator");
      const opened = [coordinator];
      try {
        const agent = await connectAs(server, "agent");
        const operator = await connectAs(server, "operator");
        const viewer = await connectAs(server, "viewer");
        opened.push(agent, operator, viewer);
        await body({ coordinator, agent, operator, viewer }, server);
      } finally {
        await Promise.all(opened.map((one) => one.close()));
      }
    },
    { users: USERS },
  );
}

const snapshotOf = (agent: string) =>
  ({ run: "r1", agent, epoch: 1, kind: "snapshot", seq: 1, resend: 0 }) as const;

/** What a server refused this connection, as it tells it. */
function denials(transport: Transport) {
  const denied = inbox<string>();
  transport.bus.onStatus((status: BusStatus) => {
    if (status.kind === "denied") denied.push(status.subject);
  });
  return denied;
}

/** As agents do: on a subject of their own. */
async function answersProbesOf(asker: Transport, agent: Transport): Promise<void> {
  const answers = inbox<string>();
  asker.bus.subscribe("ts.v1.timed.a1", ({ data }) => answers.push(text(data) ?? ""));
  agent.bus.subscribe("ts.v1.time.a1", () => agent.bus.publish("ts.v1.timed.a1", bytes("now")));
  await Promise.all([asker.bus.flush(SOON), agent.bus.flush(SOON)]);
  asker.bus.publish("ts.v1.time.a1", bytes("when"));
  assert.deepEqual(await answers.next(1), ["now"]);
}

test("an agent reads plans, answers probes and hands over results", LIMIT, async (t) => {
  await withEveryone(t, async ({ coordinator, agent }) => {
    await coordinator.state.compareAndSet("run.r1", bytes("plan"), undefined);
    assert.equal(text((await agent.state.get("run.r1"))?.value), "plan");
    assert.deepEqual(await agent.state.keys("run."), ["run.r1"]);
    assert.equal(agent.server?.isOpen, false);
    await answersProbesOf(coordinator, agent);
    assert.deepEqual(await agent.log.append(snapshotOf("a1"), bytes("1"), SOON), { duplicate: false });
  });
});

test("an agent can neither command nor read what others measured", LIMIT, async (t) => {
  await withEveryone(t, async ({ coordinator, agent }) => {
    await coordinator.state.compareAndSet("run.r1", bytes("plan"), undefined);
    await coordinator.blobs.put("report-r1", bytes("{}"));
    await coordinator.log.append(snapshotOf("a2"), bytes("2"), SOON);
    await assert.rejects(agent.state.compareAndSet("run.r1", bytes("forged"), 1), DENIED);
    await assert.rejects(agent.state.compareAndSet("run.r2", bytes("forged"), undefined), DENIED);
    await assert.rejects(agent.state.compareAndSet("leader", bytes("forged"), undefined), DENIED);
    await assert.rejects(agent.state.delete("run.r1"), DENIED);
    await assert.rejects(agent.log.purge("r1"), DENIED);
    await assert.rejects(
      agent.log.follow("r1", () => assert.fail("read what others measured")),
      DENIED,
    );
    await assert.rejects(agent.blobs.get("report-r1"), DENIED);
    await assert.rejects(agent.blobs.put("report-r1", bytes("forged")), DENIED);
    await assert.rejects(agent.bus.request("ts.v1.hint", bytes(""), SOON), DENIED);
    const denied = denials(agent);
    for (const subject of ["ts.v1.res.>", "ts.v1.hb.*", "ts.v1.live.*", "_INBOX_operator.>", "_INBOX.>", ">"])
      agent.bus.subscribe(subject, () => assert.fail(`heard ${subject}`));
    for (const subject of ["ts.v1.beacon", "ts.v1.live.r1", "$KV.TS_STATE.run.r1", "$O.TS_BLOB.C.x"])
      agent.bus.publish(subject, bytes("forged"));
    assert.equal(new Set(await denied.next(10)).size, 10);
    assert.equal(text((await coordinator.state.get("run.r1"))?.value), "plan");
  });
});

test("an agent reads data sets, which operators put, and changes none", LIMIT, async (t) => {
  await withEveryone(t, async ({ coordinator, agent, operator, viewer }) => {
    const data = bytes('{"prompt":"a"}');
    const name = sha256Of(data);
    await operator.dataSets.put(name, data);
    assert.equal(text(await agent.dataSets.get(name)), '{"prompt":"a"}');
    assert.equal(await agent.dataSets.get("0".repeat(64)), undefined);
    assert.equal(await coordinator.dataSets.has(name), true);
    await assert.rejects(agent.dataSets.put(sha256Of(bytes("other")), bytes("other")), DENIED);
    await assert.rejects(viewer.dataSets.get(name), DENIED);
    const denied = denials(agent);
    agent.bus.publish("$O.TS_DATA.C.x", bytes("forged"));
    assert.deepEqual(await denied.next(1), ["$O.TS_DATA.C.x"]);
  });
});

test("an agent's user that is pinned to a name can speak under no other", LIMIT, async (t) => {
  await withEveryone(t, async ({ coordinator }, server) => {
    await coordinator.state.compareAndSet("run.r1", bytes("plan"), undefined);
    const pinned = await connectAs(server, "agent", { user: "agent-a1", inboxPrefix: "_INBOX_agent-a1" });
    try {
      assert.equal(text((await pinned.state.get("run.r1"))?.value), "plan");
      assert.deepEqual(await pinned.log.append(snapshotOf("a1"), bytes("1"), SOON), { duplicate: false });
      await assert.rejects(pinned.log.append(snapshotOf("a2"), bytes("1"), SOON), DENIED);
      const denied = denials(pinned);
      pinned.bus.publish("ts.v1.hb.a1", bytes("")); // its own
      pinned.bus.publish("ts.v1.hb.a2", bytes(""));
      pinned.bus.subscribe("ts.v1.time.a2", () => assert.fail("answered for another one"));
      pinned.bus.subscribe("_INBOX_agent.>", () => assert.fail("read another one's answers"));
      assert.deepEqual(
        new Set(await denied.next(3)),
        new Set(["ts.v1.hb.a2", "ts.v1.time.a2", "_INBOX_agent.>"]),
      );
    } finally {
      await pinned.close();
    }
  });
});

test("an agent gets no further by answering itself, nor an operator by headers", LIMIT, async (t) => {
  await withEveryone(t, async ({ coordinator, agent }, server) => {
    const revision = await coordinator.state.compareAndSet("run.r1", bytes("plan"), undefined);
    await coordinator.state.compareAndSet("leader", bytes("me"), undefined);
    const stolen = inbox<string>();
    coordinator.bus.subscribe("ts.v1.beacon", ({ data }) => stolen.push(text(data) ?? ""));
    await coordinator.bus.flush(SOON);
    const raw = await connect({ servers: server.url, user: "agent", pass: "agent" });
    // Its own question, with an answer that would go where it must not publish.
    raw.subscribe("ts.v1.time.a1", {
      callback: (_, message) => {
        message.respond(bytes("forged"));
      },
    });
    await raw.flush();
    for (const reply of ["$KV.TS_STATE.run.r1", "ts.v1.beacon", "$JS.API.STREAM.DELETE.TS_RES"])
      raw.publish("ts.v1.time.a1", bytes(""), { reply });
    await raw.flush();
    await raw.close();

    const operator = await connect({ servers: server.url, user: "operator", pass: "operator" });
    const rollup = headers();
    rollup.set("Nats-Rollup", "all");
    operator.publish("$KV.TS_STATE.run.r9", bytes("mine alone"), { headers: rollup });
    await operator.flush();
    await operator.close();

    const entry = await coordinator.state.get("run.r1");
    assert.deepEqual([text(entry?.value), entry?.revision], ["plan", revision]);
    assert.equal(text((await coordinator.state.get("leader"))?.value), "me");
    assert.equal(stolen.items.length, 0);
    assert.deepEqual(await agent.log.append(snapshotOf("a1"), bytes("1"), SOON), { duplicate: false });
  });
});

test("nobody can use up the message ids of another agent's results", LIMIT, async (t) => {
  await withEveryone(t, async ({ agent }, server) => {
    const other = await connectAs(server, "agent");
    const raw = await connect({ servers: server.url, user: "agent", pass: "agent" });
    try {
      const guessed = headers();
      guessed.set("Nats-Msg-Id", "r1:a2:1:snapshot:1:0");
      raw.publish("ts.v1.res.r1.a1.snapshot", bytes("x"), { headers: guessed });
      await raw.flush();
      const own = snapshotOf("a2");
      assert.deepEqual(await agent.log.append(own, bytes("1"), SOON), { duplicate: false });
      assert.deepEqual(await agent.log.append(own, bytes("1"), SOON), { duplicate: true });
      // Another process is another agent, whatever it calls itself.
      assert.deepEqual(await other.log.append(own, bytes("1"), SOON), { duplicate: false });
    } finally {
      await Promise.all([other.close(), raw.close()]);
    }
  });
});

test("an operator submits, stops, watches and reads reports, and cannot lead", LIMIT, async (t) => {
  await withEveryone(t, async ({ coordinator, agent, operator }) => {
    const revision = await operator.state.compareAndSet("run.r1", bytes("submitted"), undefined);
    assert.ok(revision !== undefined);
    assert.ok((await operator.state.compareAndSet("run.r1", bytes("stopped"), revision)) !== undefined);
    assert.equal(await operator.state.compareAndSet("run.r1", bytes("late"), revision), undefined);
    assert.deepEqual(await operator.state.keys("run."), ["run.r1"]);
    const report = bytes("x".repeat(300_000)); // three chunks
    await coordinator.blobs.put("report-r1", report);
    assert.deepEqual(Buffer.from((await operator.blobs.get("report-r1")) ?? []), Buffer.from(report));
    assert.equal(await operator.blobs.get("report-r2"), undefined);
    const heard = inbox<string>();
    for (const subject of ["ts.v1.live.*", "ts.v1.hb.*", "ts.v1.beacon"])
      operator.bus.subscribe(subject, ({ data }) => heard.push(text(data) ?? ""));
    await Promise.all([operator.bus.flush(SOON), agent.bus.flush(SOON)]);
    operator.bus.publish("ts.v1.hint", bytes(""));
    await answersProbesOf(operator, agent);
    coordinator.bus.publish("ts.v1.live.r1", bytes("live"));
    coordinator.bus.publish("ts.v1.beacon", bytes("beacon"));
    agent.bus.publish("ts.v1.hb.a1", bytes("beat"));
    assert.deepEqual(new Set(await heard.next(3)), new Set(["live", "beacon", "beat"]));

    await assert.rejects(operator.state.compareAndSet("leader", bytes("me"), undefined), DENIED);
    await assert.rejects(operator.blobs.put("report-r1", bytes("forged")), DENIED);
    await assert.rejects(operator.log.append(snapshotOf("a1"), bytes("forged"), SOON), DENIED);
    await assert.rejects(operator.log.purge("r1"), DENIED);
    const denied = denials(operator);
    for (const subject of ["ts.v1.beacon", "ts.v1.live.r1", "ts.v1.hb.a1"])
      operator.bus.publish(subject, bytes("forged"));
    assert.deepEqual(
      new Set(await denied.next(3)),
      new Set(["ts.v1.beacon", "ts.v1.live.r1", "ts.v1.hb.a1"]),
    );
  });
});

test("a viewer hears live updates and the beacon, and can do nothing else", LIMIT, async (t) => {
  await withEveryone(t, async ({ coordinator, viewer }) => {
    const heard = inbox<string>();
    viewer.bus.subscribe("ts.v1.live.*", ({ data }) => heard.push(text(data) ?? ""));
    viewer.bus.subscribe("ts.v1.beacon", ({ data }) => heard.push(text(data) ?? ""));
    await viewer.bus.flush(SOON);
    coordinator.bus.publish("ts.v1.live.r1", bytes("merged"));
    coordinator.bus.publish("ts.v1.beacon", bytes("beacon"));
    assert.deepEqual(await heard.next(2), ["merged", "beacon"]);
    await assert.rejects(viewer.state.get("run.r1"), DENIED);
    await assert.rejects(viewer.state.keys("run."), DENIED);
    await assert.rejects(viewer.state.compareAndSet("run.r1", bytes("x"), undefined), DENIED);
    await assert.rejects(viewer.blobs.get("report-r1"), DENIED);
    await assert.rejects(viewer.bus.request("ts.v1.time.a1", bytes(""), SOON), DENIED);
    const denied = denials(viewer);
    viewer.bus.publish("ts.v1.live.r1", bytes("forged"));
    viewer.bus.subscribe("ts.v1.hb.*", () => assert.fail("heard an agent"));
    viewer.bus.subscribe("_INBOX_viewer.>", () => assert.fail("read an answer"));
    assert.equal(new Set(await denied.next(3)).size, 3);
  });
});

test(
  "a coordinator leads with its own permissions, which reach no other stream of the server",
  LIMIT,
  async (t) => {
    await withEveryone(t, async ({ coordinator, agent }, server) => {
      const revision = await coordinator.state.compareAndSet("leader", bytes("me"), undefined);
      assert.ok((await coordinator.state.compareAndSet("leader", bytes("still me"), revision)) !== undefined);
      await coordinator.blobs.put("report-r1", bytes("{}"));
      assert.equal(text(await coordinator.blobs.get("report-r1")), "{}");
      await coordinator.blobs.delete("report-r1");
      const followed = inbox<string>();
      await coordinator.log.follow("r1", ({ agent: from }) => followed.push(from));
      await agent.log.append(snapshotOf("a1"), bytes("1"), SOON);
      assert.deepEqual(await followed.next(1), ["a1"]);
      await coordinator.log.purge("r1");
      await coordinator.state.delete("leader");
      const other = connectNats({
        servers: [server.url],
        name: "other",
        role: "coordinator",
        user: "coordinator",
        password: "coordinator",
        prefix: "other",
        timeoutMs: 2000,
      });
      await assert.rejects(other, DENIED);
    });
  },
);
