import assert from "node:assert/strict";
import { test } from "node:test";
import { logHeader, tagOf } from "./histogram-log.js";

test("a tag has neither comma nor space, and names the phase of all but measured requests", () => {
  assert.equal(tagOf("u100", "measured", "ttft"), "u100.ttft");
  assert.equal(tagOf("u100", "ramp", "ttft"), "u100.ramp.ttft");
  assert.equal(tagOf("a,b c\n", "measured", "e2e"), "a_b_c_.e2e");
});

test("the header gives time zero twice, so that readers take the lines' times from it", () => {
  const lines = logHeader({ id: "r1]\n#[x", version: "0.1.0" }, 1_790_000_000_123_456);
  assert.equal(lines[1], "#[Histogram log format version 1.3]");
  assert.equal(lines[2], "#[BaseTime: 1790000000.123 (seconds since epoch)]");
  assert.match(lines[3] ?? "", /^#\[StartTime: 1790000000\.123 \(seconds since epoch\), 2026-/);
  assert.ok(lines.every((line) => !line.includes("\n")));
});
