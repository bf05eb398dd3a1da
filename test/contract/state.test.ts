import assert from "node:assert/strict";
import { bytes, contract, text } from "./transports.js";

contract("a key is made once, read back, and changed only over its revision", async (_t, connect) => {
  const { state } = await connect();
  assert.equal(await state.get("run.r1"), undefined);
  const first = await state.compareAndSet("run.r1", bytes("one"), undefined);
  assert.ok(first !== undefined);
  assert.equal(await state.compareAndSet("run.r1", bytes("two"), undefined), undefined);
  assert.equal(await state.compareAndSet("run.r1", bytes("two"), first + 1), undefined);
  const second = await state.compareAndSet("run.r1", bytes("two"), first);
  assert.ok(second !== undefined && second > first);
  assert.equal(await state.compareAndSet("run.r1", bytes("three"), first), undefined);
  const entry = await state.get("run.r1");
  assert.deepEqual([entry?.key, text(entry?.value), entry?.revision], ["run.r1", "two", second]);
});

contract("of many who write at once over one revision, one wins", async (_t, connect) => {
  const writers = await Promise.all(Array.from({ length: 8 }, connect));
  let revision: number | undefined;
  for (let round = 0; round < 10; round += 1) {
    const expected = revision;
    const results = await Promise.all(
      writers.map(({ state }, i) => state.compareAndSet("leader", bytes(`${round}.${i}`), expected)),
    );
    const winners = results.flatMap((result, i) => (result === undefined ? [] : [{ result, i }]));
    assert.equal(winners.length, 1, `round ${round}: ${winners.length} writers won`);
    const winner = winners[0] ?? assert.fail("nobody won");
    const entry = await writers[0]?.state.get("leader");
    assert.equal(text(entry?.value), `${round}.${winner.i}`);
    revision = winner.result;
  }
});

contract("concurrent counters that retry lose no step", async (_t, connect) => {
  const writers = await Promise.all(Array.from({ length: 4 }, connect));
  await Promise.all(
    writers.map(async ({ state }) => {
      for (let done = 0; done < 10; ) {
        const entry = await state.get("count");
        const next = Number(text(entry?.value) ?? 0) + 1;
        if ((await state.compareAndSet("count", bytes(`${next}`), entry?.revision)) !== undefined) done += 1;
      }
    }),
  );
  assert.equal(text((await writers[0]?.state.get("count"))?.value), "40");
});

contract("keys are listed by their beginning", async (_t, connect) => {
  const { state } = await connect();
  assert.deepEqual(await state.keys("run."), []);
  for (const key of ["run.a", "run.b", "run.a.more", "runner.x", "leader"])
    await state.compareAndSet(key, bytes(key), undefined);
  assert.deepEqual((await state.keys("run.")).sort(), ["run.a", "run.a.more", "run.b"]);
  assert.deepEqual((await state.keys("run")).sort(), ["run.a", "run.a.more", "run.b", "runner.x"]);
  assert.equal((await state.keys("")).length, 5);
});

contract("a deleted key is gone, may be deleted again and made again", async (_t, connect) => {
  const { state } = await connect();
  const first = await state.compareAndSet("run.a", bytes("1"), undefined);
  await state.delete("run.a");
  await state.delete("run.a");
  assert.equal(await state.get("run.a"), undefined);
  assert.deepEqual(await state.keys("run."), []);
  assert.equal(await state.compareAndSet("run.a", bytes("2"), first), undefined);
  const again = await state.compareAndSet("run.a", bytes("2"), undefined);
  assert.ok(again !== undefined && first !== undefined && again > first);
});

contract("values are bytes of any kind, and stay as they were written", async (_t, connect) => {
  const { state } = await connect();
  const value = Uint8Array.from({ length: 200_000 }, (_, i) => i % 256);
  await state.compareAndSet("run.big", value, undefined);
  await state.compareAndSet("run.empty", new Uint8Array(0), undefined);
  const [big, empty] = [await state.get("run.big"), await state.get("run.empty")];
  assert.deepEqual(Buffer.from(big?.value ?? []), Buffer.from(value));
  assert.equal(empty?.value.length, 0);
});

contract("what is no key is a bug", async (_t, connect) => {
  const { state } = await connect();
  for (const key of ["", ".", "run.", "run.*", "a b", ">"])
    await assert.rejects(state.compareAndSet(key, bytes(""), undefined), /not a key/);
});
