import assert from "node:assert/strict";
import { test } from "node:test";
import { displayWidth, paint } from "@tokenstorm/report";
import type { Calibration, CalibrationLevel } from "./calibration-schema.js";
import { calibrationText, conclusionOf, levelLine } from "./calibration-text.js";

const level: CalibrationLevel = {
  reader: "undici",
  streams: 10_000,
  askedEventsPerS: 162_000,
  eventsPerS: 161_900,
  stampErrorP50Us: 100,
  stampErrorP90Us: 123_456,
  coalescedShare: 0.1234,
  failed: 0,
  cpu: 1.02,
  serverLagP90Us: 123_456,
  serverShare: 0.9,
  outcome: "server-limited",
  isClientClean: false,
  reasons: ["the null server was 123.46 ms late at p90 (limit 0.20 ms)"],
};

const calibration: Calibration = {
  host: "h1",
  cpu: "A CPU",
  nodeMajor: 24,
  version: "0.1.0",
  cores: 8,
  measuredAt: "2026-03-14T09:26:53.589Z",
  quick: false,
  pinned: true,
  capacity: {
    undici: { eventsPerS: 31_000, isAtLeast: false },
    raw: { eventsPerS: 52_000, isAtLeast: true },
  },
  levels: [level, { ...level, reader: "raw", outcome: "clean", reasons: [] }],
};

test("the widest level fits a terminal of 80 columns, in one table", () => {
  const text = calibrationText(calibration, { width: 80, paint: paint(false) });
  for (const line of text.split("\n")) assert.ok(displayWidth(line) <= 80, line);
  assert.equal(text.match(/^reader/gm)?.length, 1);
  assert.match(text, /^undici +10,000 162,000 161,900 +123ms +12\.34% 102% +123ms server late$/m);
});

test("the conclusion is one sentence, says at least where it is that, and how it was measured where that is less", () => {
  const said = conclusionOf(calibration);
  assert.equal(
    said,
    "One agent process on h1 carries 31,000 events/s with undici and at least 52,000 events/s with raw.",
  );
  assert.match(conclusionOf({ ...calibration, pinned: false }), /no CPUs of their own\)\.$/);
  const quick = calibrationText({ ...calibration, quick: true }, { width: 80, paint: paint(false) });
  assert.match(quick, /^This was --quick/m);
});

test("a level where the server was the limit says what was carried at least, if anything was", () => {
  assert.match(levelLine(level), /^undici, 10,000 streams, 162,000 events\/s: nothing said, the server was/);
  assert.match(levelLine({ ...level, isClientClean: true }), /the server was the limit: at least 161,900/);
  assert.match(levelLine({ ...level, outcome: "unclean" }), /: unclean: the null server/);
});
