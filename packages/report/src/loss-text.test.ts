import assert from "node:assert/strict";
import { test } from "node:test";
import type { RunReport } from "@tokenstorm/core";
import { lossTexts } from "./loss-text.js";

test("losses that are told as one say how many they were, and when the agent was heard again", () => {
  const loss = { agent: "a1", lastHeardMs: 60_000, lostAtMs: 65_000, reason: "silent", takenOver: null };
  const losses = [
    { ...loss, foundAtMs: 600_000, times: 9 },
    { ...loss, foundAtMs: 66_000 },
  ];
  const report: Pick<RunReport, "losses"> = { losses };
  assert.deepEqual(lossTexts(report), [
    "a1 was lost 9 times from 60.0 s on; heard again each time, the last time at 600.0 s",
    "a1 was last heard at 60.0 s and counted as lost at 65.0 s; heard again at 66.0 s, it went on with its shard",
  ]);
});
