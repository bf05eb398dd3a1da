import assert from "node:assert/strict";
import { sha256Of } from "@tokenstorm/protocol";
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
