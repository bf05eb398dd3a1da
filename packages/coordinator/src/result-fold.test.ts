import assert from "node:assert/strict";
import { test } from "node:test";
import { resolveStages } from "@tokenstorm/core";
import { createMemoryHub, encodeSnapshot } from "@tokenstorm/protocol";
import { aPlan, aSnapshot, VirtualClock } from "@tokenstorm/testkit";
import { DiskRoom } from "./disk-room.js";
import { ResultFold, SNAPSHOT_FILE } from "./result-fold.js";
import { MemoryDirectory } from "./testing/memory-directory.js";

const shard = { agent: "a1", instance: "a1-1", index: 0, host: "h", version: "0", clockErrorUs: 0 } as const;

test("what comes after the verdict is neither in the directory nor confirmed: it is left to the log", async () => {
  const clock = new VirtualClock();
  const hub = createMemoryHub({ clock });
  const directory = new MemoryDirectory("run");
  const refusals: string[] = [];
  const fold = new ResultFold({
    run: "r1",
    stages: resolveStages(aPlan({ warmUp: { requests: 4 } })),
    shards: [{ ...shard, epoch: 1, clockOffsetUs: 0 }],
    clock,
    log: hub.connect().log,
    directory,
    highestSeq: () => 100,
    onEvent: () => undefined,
    onConfirmed: () => undefined,
    onRefusal: (reason) => refusals.push(reason),
    onFailure: (error) => assert.fail(error),
    room: new DiskRoom({ clock, onNote: () => undefined }),
    onNote: () => undefined,
  });
  const { log } = hub.connect();
  const append = async (seq: number) => {
    const snapshot = aSnapshot({ seq, fromUs: (seq - 1) * 1_000_000, toUs: seq * 1_000_000, blocks: [] });
    const id = { run: "r1", agent: "a1", epoch: 1, kind: "snapshot", seq, resend: 0 } as const;
    await log.append(id, encodeSnapshot(snapshot), { timeoutMs: 1000 });
    await clock.advanceByAsync(1_000_000);
  };
  await fold.follow();
  await append(1);
  fold.freeze();
  await append(2);
  await fold.flush();
  assert.equal(directory.lines(SNAPSHOT_FILE).length, 1);
  assert.equal(fold.confirmed()["a1"]?.seq, 1);
  assert.equal(fold.reachedUs, 1_000_000);
  assert.deepEqual([fold.aggregate.contiguous("a1"), refusals], [1, []]);
  fold.close();
});
