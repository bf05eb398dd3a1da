import assert from "node:assert/strict";
import { test } from "node:test";
import { jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { sha256Of } from "@tokenstorm/protocol";
import { connectNats, rolePermissions } from "@tokenstorm/protocol/nats";
import { withNatsServer } from "@tokenstorm/testkit";
import { bytes, contract, text } from "./transports.js";

contract("a blob of five megabytes comes back as it was", async (_t, connect) => {
  const [writer, reader] = [await connect(), await connect()];
  const data = Uint8Array.from({ length: 5 * 1024 * 1024 + 17 }, (_, i) => (i * 31) % 253);
  await writer.blobs.put("report-r1", data);
  const back = await reader.blobs.get("report-r1");
  assert.ok(back !== undefined && Buffer.from(back).equals(Buffer.from(data)));
});

contract("a blob may be empty, replaced and deleted", async (_t, connect) => {
  const { blobs } = await connect();
  assert.equal(await blobs.get("x"), undefined);
  await blobs.put("x", new Uint8Array(0));
  assert.equal((await blobs.get("x"))?.length, 0);
  await blobs.put("x", bytes("second"));
  assert.equal(text(await blobs.get("x")), "second");
  await blobs.delete("x");
  await blobs.delete("x");
  assert.equal(await blobs.get("x"), undefined);
  await blobs.put("x", bytes("third"));
  assert.equal(text(await blobs.get("x")), "third");
});

contract("a data set is put once, and comes back by its digest as it was", async (_t, connect) => {
  const [writer, reader] = [await connect(), await connect()];
  const data = Uint8Array.from({ length: 1_000_003 }, (_, i) => (i * 31) % 253);
  const name = sha256Of(data);
  assert.equal(await reader.dataSets.has(name), false);
  assert.equal(await reader.dataSets.get(name), undefined);
  await writer.dataSets.put(name, data);
  await writer.dataSets.put(name, data);
  assert.equal(await reader.dataSets.has(name), true);
  const back = await reader.dataSets.get(name);
  assert.ok(back !== undefined && Buffer.from(back).equals(Buffer.from(data)));
  assert.equal(await reader.blobs.get(name), undefined);
});

contract("what is not what its digest says is refused", async (_t, connect) => {
  const { dataSets } = await connect();
  await dataSets.put("0".repeat(64), bytes("something else"));
  await assert.rejects(dataSets.get("0".repeat(64)), { name: "LoadError", code: "DATASET_INVALID" });
});

// A reading that is repeated goes on for a minute: these would not end within the limit.
const AT_ONCE = { timeout: 20_000 };

test(
  "nats: a blob whose bucket was deleted is read in vain for a moment, not for a minute",
  AT_ONCE,
  async (t) => {
    await withNatsServer(t, async ({ url }) => {
      const { blobs, close } = await connectNats({ servers: [url], name: "contract", role: "coordinator" });
      await blobs.put("report-r1", bytes("{}"));
      const admin = await connect({ servers: url });
      await (await jetstreamManager(admin)).streams.delete("OBJ_TS_BLOB");
      await assert.rejects(blobs.get("report-r1"), {
        name: "LoadError",
        code: "BUS_UNAVAILABLE",
        message: "fetching report-r1: stream not found",
      });
      await Promise.all([admin.close(), close()]);
    });
  },
);

test("nats: a user who may look a blob up and not read it is told so at once", AT_ONCE, async (t) => {
  const { publish, subscribe } = rolePermissions("operator");
  const users = [
    { user: "coordinator", password: "coordinator" },
    {
      user: "operator",
      password: "operator",
      publish: publish.filter((subject) => !subject.startsWith("$JS.API.CONSUMER.")),
      subscribe,
    },
  ];
  await withNatsServer(
    t,
    async ({ url }) => {
      const enter = (role: "coordinator" | "operator") =>
        connectNats({ servers: [url], name: role, role, user: role, password: role });
      const [coordinator, operator] = [await enter("coordinator"), await enter("operator")];
      await coordinator.blobs.put("report-r1", bytes("{}"));
      await assert.rejects(operator.blobs.get("report-r1"), { name: "LoadError", code: "BUS_DENIED" });
      await Promise.all([operator.close(), coordinator.close()]);
    },
    { users },
  );
});
