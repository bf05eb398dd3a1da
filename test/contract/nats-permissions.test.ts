import assert from "node:assert/strict";
import { test } from "node:test";
import type { BusStatus } from "@tokenstorm/protocol";
import { connectNats, type NatsRole, type NatsUser, type RunningNatsServer } from "@tokenstorm/protocol/nats";
import { withNatsServer } from "@tokenstorm/testkit";
import { bytes, inbox, text } from "./transports.js";

const LIMIT = { timeout: 30_000 };
const SOON = { timeoutMs: 2000 };
const DENIED = { name: "LoadError", code: "BUS_DENIED" };

/** What each role needs and no more; a coordinator may do everything. */
const USERS: readonly NatsUser[] = [
  { user: "coordinator", password: "c" },
  {
    user: "agent",
    password: "a",
    publish: [
      "ts.v1.hb.a1",
      "ts.v1.res.*.a1.*",
      "$JS.API.STREAM.INFO.KV_TS_STATE",
      "$JS.API.STREAM.MSG.GET.KV_TS_STATE",
    ],
    subscribe: ["ts.v1.beacon", "ts.v1.time.a1", "_INBOX_agent.>"],
  },
  { user: "viewer", password: "v", publish: [], subscribe: ["ts.v1.live.*", "_INBOX_viewer.>"] },
];

const connectAs = (server: RunningNatsServer, role: NatsRole) =>
  connectNats({
    servers: [server.url],
    name: role,
    role,
    user: role,
    password: role.slice(0, 1),
    inboxPrefix: `_INBOX_${role}`,
    timeoutMs: 2000,
  });

test("an agent does its work with an agent's permissions, and nothing else", LIMIT, async (t) => {
  await withNatsServer(
    t,
    async (server) => {
      const leader = await connectAs(server, "coordinator");
      const agent = await connectAs(server, "agent");
      try {
        await leader.state.compareAndSet("run.r1", bytes("plan"), undefined);
        assert.equal(text((await agent.state.get("run.r1"))?.value), "plan");
        assert.deepEqual(await agent.state.keys("run."), ["run.r1"]);
        agent.bus.subscribe("ts.v1.time.a1", (message) => message.respond(bytes("now")));
        await agent.bus.flush(SOON);
        assert.equal(text(await leader.bus.request("ts.v1.time.a1", bytes(""), SOON)), "now");
        const own = { run: "r1", agent: "a1", epoch: 1, kind: "snapshot", seq: 1, resend: 0 } as const;
        assert.deepEqual(await agent.log.append(own, bytes("1"), SOON), { duplicate: false });

        await assert.rejects(agent.log.append({ ...own, agent: "a2" }, bytes("1"), SOON), DENIED);
        await assert.rejects(agent.state.compareAndSet("run.r1", bytes("forged"), 1), DENIED);
        await assert.rejects(agent.state.delete("run.r1"), DENIED);
        await assert.rejects(agent.log.purge("r1"), DENIED);
        await assert.rejects(agent.bus.request("ts.v1.hint", bytes(""), SOON), DENIED);
        assert.equal(text((await leader.state.get("run.r1"))?.value), "plan");
      } finally {
        await Promise.all([agent.close(), leader.close()]);
      }
    },
    { users: USERS },
  );
});

test("what a server denies shows as a status, with its subject", LIMIT, async (t) => {
  await withNatsServer(
    t,
    async (server) => {
      const leader = await connectAs(server, "coordinator");
      const agent = await connectAs(server, "agent");
      try {
        const denied = inbox<string>();
        agent.bus.onStatus((status: BusStatus) => {
          if (status.kind === "denied") denied.push(status.subject);
        });
        agent.bus.publish("ts.v1.beacon", bytes("forged"));
        assert.deepEqual(await denied.next(1), ["ts.v1.beacon"]);
        agent.bus.subscribe("ts.v1.hb.*", () => assert.fail("heard what it may not hear"));
        assert.deepEqual(await denied.next(2), ["ts.v1.beacon", "ts.v1.hb.*"]);
        leader.bus.publish("ts.v1.hb.a2", bytes(""));
        await leader.bus.flush(SOON);
        agent.bus.publish("ts.v1.hb.a1", bytes("still allowed"));
        await agent.bus.flush(SOON);
      } finally {
        await Promise.all([agent.close(), leader.close()]);
      }
    },
    { users: USERS },
  );
});

test("a viewer hears live updates though it may ask for nothing", LIMIT, async (t) => {
  await withNatsServer(
    t,
    async (server) => {
      const leader = await connectAs(server, "coordinator");
      const viewer = await connectAs(server, "viewer");
      try {
        const live = inbox<string>();
        viewer.bus.subscribe("ts.v1.live.*", ({ data }) => live.push(text(data) ?? ""));
        await viewer.bus.flush(SOON);
        leader.bus.publish("ts.v1.live.r1", bytes("merged"));
        assert.deepEqual(await live.next(1), ["merged"]);
        await assert.rejects(viewer.state.get("run.r1"), DENIED);
      } finally {
        await Promise.all([viewer.close(), leader.close()]);
      }
    },
    { users: USERS },
  );
});
