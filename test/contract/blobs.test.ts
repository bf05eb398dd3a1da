import assert from "node:assert/strict";
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
