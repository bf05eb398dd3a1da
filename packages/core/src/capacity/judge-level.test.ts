import assert from "node:assert/strict";
import { test } from "node:test";
import type { VitalsJudgement } from "../measure/judge-vitals.js";
import { judgeLevel, type LevelFigures, type LevelOutcome } from "./judge-level.js";

const GREEN: VitalsJudgement = { colour: "green", reasons: [] };

/** Each figure at its limit. */
const GOOD: LevelFigures = {
  askedEventsPerS: 12_000,
  eventsPerS: 11_400,
  stampErrorP90Us: 1000,
  coalescedShare: 0.005,
  failed: 0,
  serverLagP90Us: 200,
  serverShare: 0.95,
};

const TABLE: readonly {
  what: string;
  change?: Partial<LevelFigures>;
  vitals?: VitalsJudgement;
  outcome: LevelOutcome;
  says?: RegExp;
}[] = [
  { what: "every figure at its limit", outcome: "clean" },
  {
    what: "stamps too late",
    change: { stampErrorP90Us: 1001 },
    outcome: "unclean",
    says: /^stamps 1\.00 ms late/,
  },
  {
    what: "an event whose write is older than the level",
    change: { stampErrorP90Us: Number.POSITIVE_INFINITY },
    outcome: "unclean",
    says: /longer than the level/,
  },
  {
    what: "too many events in one read",
    change: { coalescedShare: 0.0051 },
    outcome: "unclean",
    says: /^coalesced 0\.5 %/,
  },
  { what: "a failed request", change: { failed: 1 }, outcome: "unclean", says: /1 requests failed/ },
  {
    what: "fewer events than were asked for",
    change: { eventsPerS: 11_399 },
    outcome: "unclean",
    says: /11399/,
  },
  {
    what: "vitals that are not green",
    vitals: { colour: "yellow", reasons: ["starvation 9.0 % (limit 7.0 %)"] },
    outcome: "unclean",
    says: /^starvation/,
  },
  { what: "a late server", change: { serverLagP90Us: 201 }, outcome: "server-limited", says: /null server/ },
  {
    what: "a server that left steps out",
    change: { serverShare: 0.94 },
    outcome: "server-limited",
    says: /made 94\.0 % of its steps/,
  },
];

for (const { what, change = {}, vitals = GREEN, outcome, says } of TABLE) {
  test(`a level with ${what} is ${outcome}`, () => {
    const judged = judgeLevel({ ...GOOD, ...change }, vitals);
    assert.equal(judged.outcome, outcome);
    assert.equal(judged.isClientClean, outcome !== "unclean");
    assert.equal(judged.reasons.length, says === undefined ? 0 : 1);
    if (says !== undefined) assert.match(judged.reasons[0] ?? "", says);
  });
}

test("a late server and an unclean client prove nothing of the client, and both are named", () => {
  const judged = judgeLevel({ ...GOOD, serverLagP90Us: 900, stampErrorP90Us: 5000 }, GREEN);
  assert.deepEqual([judged.outcome, judged.isClientClean], ["server-limited", false]);
  assert.match(judged.reasons.join("; "), /null server was 0\.90 ms late.*; stamps 5\.00 ms late/);
});

test("coalescing is named once, though vitals speak of it too", () => {
  const vitals: VitalsJudgement = { colour: "red", reasons: ["coalesced events 4.0 % (limit 2.0 %)"] };
  assert.equal(judgeLevel({ ...GOOD, coalescedShare: 0.04 }, vitals).reasons.length, 1);
  assert.deepEqual(judgeLevel(GOOD, vitals).reasons, vitals.reasons);
});
