import assert from "node:assert/strict";
import { test } from "node:test";
import { jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { withNatsServer } from "@tokenstorm/testkit";
import { connectNats } from "./connect.js";

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
