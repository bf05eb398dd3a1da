import assert from "node:assert/strict";
import { test } from "node:test";
import { rehearse } from "./rehearsal.js";

test("a rehearsal books and codes a minute of intervals without any agent", () => {
  // 60 snapshots of some kilobytes each; the recorder asserts its own books at every cut.
  assert.ok(rehearse() > 60 * 500);
});
