import assert from "node:assert/strict";
import { test } from "node:test";
import { jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { LoadError } from "@tokenstorm/core";
import { withNatsServer } from "@tokenstorm/testkit";
import { connectNats } from "./connect.js";

const LIMIT = { timeout: 30_000 };

test(
  "a state bucket that was deleted is made anew by whatever a coordinator asks it, and by nobody else",
  LIMIT,
  async (t) => {
    await withNatsServer(t, async ({ url }) => {
      const coordinator = await connectNats({ servers: [url], name: "state", role: "coordinator" });
      const agent = await connectNats({ servers: [url], name: "state", role: "agent" });
      const vandal = await connect({ servers: url });
      try {
        const manager = await jetstreamManager(vandal);
        const { state } = coordinator;
        const value = new Uint8Array(1);
        const questions = [
          async () => assert.equal(await state.get("leader"), undefined),
          async () => assert.deepEqual(await state.keys("run."), []),
          async () => assert.ok((await state.compareAndSet("leader", value, undefined)) !== undefined),
          async () => assert.equal(await state.compareAndSet("leader", value, 17), undefined),
        ];
        for (const ask of questions) {
          await manager.streams.delete("KV_TS_STATE");
          await assert.rejects(agent.state.get("leader"), LoadError);
          await ask();
          const { config } = await manager.streams.info("KV_TS_STATE");
          assert.equal(config.allow_rollup_hdrs, false);
          assert.equal(
            (await agent.state.get("leader"))?.value.length,
            (await state.get("leader"))?.value.length,
          );
        }
      } finally {
        await Promise.all([vandal.close(), agent.close(), coordinator.close()]);
      }
    });
  },
);
