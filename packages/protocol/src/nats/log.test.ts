import assert from "node:assert/strict";
import { test } from "node:test";
import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import { connect, errors } from "@nats-io/transport-node";
import { startTcpProxy, withNatsServer } from "@tokenstorm/testkit";
import { subjects } from "../subjects.js";
import { connectNats } from "./connect.js";
import { createNatsLog } from "./log.js";
import { storeNames } from "./stores.js";

const LIMIT = { timeout: 30_000 };

test("a follower says when the stream that it follows is gone", LIMIT, async (t) => {
  await withNatsServer(t, async ({ url }) => {
    const transport = await connectNats({ servers: [url], name: "log", role: "coordinator" });
    const vandal = await connect({ servers: url });
    try {
      let tell: (error: Error) => void = () => undefined;
      const told = new Promise<Error>((resolve) => {
        tell = resolve;
      });
      await transport.log.follow("r1", () => undefined, { onError: (error) => tell(error) });
      const manager = await jetstreamManager(vandal);
      await manager.streams.delete("TS_RES");
      assert.match((await told).message, /TS_RES with the results of run r1 is gone/);
    } finally {
      await Promise.all([vandal.close(), transport.close()]);
    }
  });
});

test(
  "a follower that was cut off while the stream was made anew reads the new one from its beginning",
  LIMIT,
  async (t) => {
    await withNatsServer(t, async ({ url, port }) => {
      const proxy = await startTcpProxy({ port, seed: 1 });
      const away = `nats://127.0.0.1:${proxy.port}`;
      const transport = await connectNats({ servers: [away], name: "log", role: "coordinator" });
      const vandal = await connect({ servers: url });
      const seen: number[] = [];
      let look: () => void = () => undefined;
      const untilSeen = (seq: number) =>
        new Promise<void>((resolve) => {
          look = () => {
            if (seen.includes(seq)) resolve();
          };
          look();
        });
      const id = (seq: number) =>
        ({ run: "r1", agent: "a", epoch: 1, kind: "snapshot", seq, resend: 0 }) as const;
      try {
        await transport.log.follow("r1", ({ data }) => {
          seen.push(data[0] ?? 0);
          look();
        });
        for (const seq of [1, 2, 3])
          await transport.log.append(id(seq), new Uint8Array([seq]), { timeoutMs: 2000 });
        await untilSeen(3);
        await proxy.disconnect();
        await (await jetstreamManager(vandal)).streams.delete("TS_RES");
        const other = await connectNats({ servers: [url], name: "other", role: "coordinator" });
        await other.log.append(id(4), new Uint8Array([4]), { timeoutMs: 2000 });
        await other.close();
        await proxy.restore();
        await untilSeen(4);
        assert.deepEqual(seen, [1, 2, 3, 4]);
      } finally {
        await Promise.all([vandal.close(), transport.close()]);
        await proxy.close();
      }
    });
  },
);

test(
  "a follower whose look at the stream is not answered looks again, and does not stay where it was",
  LIMIT,
  async (t) => {
    await withNatsServer(t, async ({ url, port }) => {
      const proxy = await startTcpProxy({ port, seed: 1 });
      const first = await connectNats({ servers: [url], name: "first", role: "coordinator" });
      const connection = await connect({
        servers: `127.0.0.1:${proxy.port}`,
        maxReconnectAttempts: -1,
        reconnectTimeWait: 100,
      });
      const js = jetstream(connection, { checkAPI: false });
      const manager = await jetstreamManager(connection, { checkAPI: false });
      const names = subjects("ts");
      const log = createNatsLog(
        { connection, js, manager, names: storeNames("ts"), subjects: names, timeoutMs: 5000 },
        undefined,
      );
      const info = manager.streams.info.bind(manager.streams);
      let unanswered = 0;
      let isAnswered = true;
      t.mock.method(manager.streams, "info", async (...question: Parameters<typeof info>) => {
        const answer = await info(...question);
        if (isAnswered) return answer;
        isAnswered = true;
        unanswered += 1;
        throw new errors.TimeoutError();
      });
      const id = (seq: number) =>
        ({ run: "r1", agent: "a", epoch: 1, kind: "snapshot", seq, resend: 0 }) as const;
      const seen: number[] = [];
      let look: () => void = () => undefined;
      const untilSeen = (seq: number) =>
        new Promise<void>((resolve) => {
          look = () => {
            if (seen.includes(seq)) resolve();
          };
          look();
        });
      try {
        await log.follow("r1", ({ data }) => {
          seen.push(data[0] ?? 0);
          look();
        });
        for (const seq of [1, 2, 3])
          await first.log.append(id(seq), new Uint8Array([seq]), { timeoutMs: 2000 });
        await untilSeen(3);
        await proxy.disconnect();
        const vandal = await connect({ servers: url });
        await (await jetstreamManager(vandal)).streams.delete("TS_RES");
        await vandal.close();
        const other = await connectNats({ servers: [url], name: "other", role: "coordinator" });
        await other.log.append(id(4), new Uint8Array([4]), { timeoutMs: 2000 });
        await other.close();
        isAnswered = false;
        await proxy.restore();
        await untilSeen(4);
        assert.deepEqual([seen, unanswered], [[1, 2, 3, 4], 1]);
      } finally {
        log.close();
        await Promise.all([connection.close(), first.close()]);
        await proxy.close();
      }
    });
  },
);

test("entries of another form than ours, in our subjects, are passed over", LIMIT, async (t) => {
  await withNatsServer(t, async ({ url }) => {
    const transport = await connectNats({ servers: [url], name: "log", role: "coordinator" });
    const seen: string[] = [];
    await new Promise<void>((resolve, reject) => {
      const handler = (entry: { agent: string; kind: string }) => {
        seen.push(`${entry.agent}.${entry.kind}`);
        if (entry.kind === "final") resolve();
      };
      const write = async () => {
        await transport.log.follow("r1", handler);
        for (const tail of ["a", "a.b.c", "a.odd"])
          transport.bus.publish(`ts.v1.res.r1.${tail}`, new Uint8Array(1));
        const id = { run: "r1", agent: "a", epoch: 1, kind: "final", seq: 0, resend: 0 } as const;
        await transport.log.append(id, new Uint8Array(1), { timeoutMs: 2000 });
      };
      write().catch(reject);
    });
    assert.deepEqual(seen, ["a.odd", "a.final"]);
    await transport.close();
  });
});
