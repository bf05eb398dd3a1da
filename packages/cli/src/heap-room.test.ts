import assert from "node:assert/strict";
import { test } from "node:test";
import { HEAP_ROOM, hasHeapRoom } from "./heap-room.js";

test("a process knows whether it was given room for its heap, in whatever spelling and size", () => {
  assert.equal(hasHeapRoom(HEAP_ROOM), true);
  assert.equal(
    hasHeapRoom(["--enable-source-maps", ...HEAP_ROOM.map((flag) => flag.replaceAll("-size", "_size"))]),
    true,
  );
  assert.equal(hasHeapRoom(HEAP_ROOM.map((flag) => flag.replace(/=\d+/, "=64"))), true);
  assert.equal(hasHeapRoom(HEAP_ROOM.slice(1)), false);
  assert.equal(hasHeapRoom([]), false);
});
