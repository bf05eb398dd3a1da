import assert from "node:assert/strict";
import { test } from "node:test";
import type { BusStatus, LogEntry, ResultId, Transport } from "@tokenstorm/protocol";
import {
  connectNats,
  type NatsServerOptions,
  type RunningNatsServer,
  startNatsServer,
} from "@tokenstorm/protocol/nats";
import { withNatsServer } from "@tokenstorm/testkit";
import { bytes, inbox, text } from "./transports.js";

const LIMIT = { timeout: 60_000 };
const SOON = { timeoutMs: 1000 };
const id = (seq: number): ResultId => ({
  run: "r1",
  agent: "a1",
  epoch: 1,
  kind: "snapshot",
  seq,
  resend: 0,
});

/** Hands a result over until it is acknowledged, as an outbox does. */
async function deliver({ log }: Transport, seq: number): Promise<number> {
  for (let tries = 1; ; tries += 1) {
    try {
      await log.append(id(seq), bytes(`${seq}`), { timeoutMs: 500 });
      return tries;
    } catch (error) {
      assert.ok(error instanceof Error && "code" in error && error.code === "BUS_UNAVAILABLE", String(error));
    }
  }
}

async function restart(
  server: RunningNatsServer,
  options: NatsServerOptions,
  how: "ends" | "is killed",
): Promise<RunningNatsServer> {
  if (how === "ends") await server.close();
  else {
    process.kill(server.pid, "SIGKILL");
    await server.ended;
  }
  return startNatsServer({ ...options, port: server.port });
}

for (const how of ["ends", "is killed"] as const) {
  test(
    `a server that ${how} and comes back: nothing is lost, nothing is seen twice, all go on`,
    LIMIT,
    async (t) => {
      await withNatsServer(t, async (server, options) => {
        const connect = () => connectNats({ servers: [server.url], name: "restart", role: "coordinator" });
        const [agent, leader] = [await connect(), await connect()];
        let second: RunningNatsServer | undefined;
        try {
          const entries = inbox<LogEntry>();
          const statuses = inbox<BusStatus["kind"]>();
          const heard = inbox<string>();
          leader.bus.onStatus((status) => statuses.push(status.kind));
          leader.bus.subscribe("after", ({ data }) => heard.push(text(data) ?? ""));
          await leader.log.follow("r1", (entry) => entries.push(entry));
          for (let seq = 1; seq <= 50; seq += 1) await deliver(agent, seq);
          await entries.next(50);
          const revision = await leader.state.compareAndSet("run.r1", bytes("kept"), undefined);

          const restarting = restart(server, options, how);
          const tries = await deliver(agent, 51);
          second = await restarting;
          for (let seq = 52; seq <= 100; seq += 1) await deliver(agent, seq);

          assert.ok(tries >= 1);
          assert.deepEqual(
            (await entries.next(100)).map((entry) => text(entry.data)),
            Array.from({ length: 100 }, (_, i) => `${i + 1}`),
          );
          assert.deepEqual((await statuses.next(3)).slice(0, 3), ["connected", "disconnected", "connected"]);
          const entry = await leader.state.get("run.r1");
          assert.deepEqual([text(entry?.value), entry?.revision], ["kept", revision]);
          agent.bus.publish("after", bytes("subscriptions are back"));
          assert.deepEqual(await heard.next(1), ["subscriptions are back"]);

          const late = inbox<LogEntry>();
          await leader.log.follow("r1", (one) => late.push(one));
          assert.equal((await late.next(100)).length, 100);
        } finally {
          await Promise.all([agent.close(), leader.close()]);
          await second?.close();
        }
      });
    },
  );
}

test(
  "while no server is there: results are refused in time, publishing is silent, and closing does not hang",
  LIMIT,
  async (t) => {
    await withNatsServer(t, async (server) => {
      const transport = await connectNats({
        servers: [server.url],
        name: "alone",
        role: "coordinator",
        timeoutMs: 500,
      });
      const statuses = inbox<BusStatus["kind"]>();
      transport.bus.onStatus((status) => statuses.push(status.kind));
      await server.close();
      await statuses.next(2);
      const refused = { name: "LoadError", code: "BUS_UNAVAILABLE" };
      transport.bus.publish("beacon", bytes(""));
      await assert.rejects(transport.log.append(id(1), bytes(""), SOON), refused);
      await assert.rejects(transport.state.get("run.r1"), refused);
      await assert.rejects(transport.state.compareAndSet("run.r1", bytes(""), undefined), refused);
      await assert.rejects(transport.state.keys("run."), refused);
      await assert.rejects(
        transport.log.follow("r1", () => undefined),
        refused,
      );
      await assert.rejects(transport.bus.flush(SOON), refused);
      assert.equal(await transport.bus.request("anybody", bytes(""), { timeoutMs: 100 }), undefined);
      const started = performance.now();
      await transport.close();
      assert.ok(performance.now() - started < 5000, "closing took longer than its limit");
      assert.deepEqual(statuses.items, ["connected", "disconnected", "closed"]);
    });
  },
);

test("a blob that is read while nobody answers comes once somebody does", LIMIT, async (t) => {
  await withNatsServer(t, async (server) => {
    const connect = (timeoutMs: number) =>
      connectNats({ servers: [server.url], name: "blobs", role: "coordinator", timeoutMs });
    const [transport, other] = [await connect(500), await connect(1000)];
    try {
      await transport.blobs.put("report-r1", bytes("all of it"));
      process.kill(server.pid, "SIGSTOP");
      const reading = transport.blobs.get("report-r1");
      reading.catch(() => undefined);
      // Asked later, and given up later: by then the first reading has been as well.
      await assert.rejects(other.state.get("x"), { code: "BUS_UNAVAILABLE" });
      process.kill(server.pid, "SIGCONT");
      assert.equal(text(await reading), "all of it");
    } finally {
      process.kill(server.pid, "SIGCONT");
      await transport.close();
      await other.close();
    }
  });
});
