import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { type Finished, root, scratch, startProcess } from "./cli.js";

const USERS = 40;
/** No multiple of the second that a round takes: the level's two edges cut its rounds at different places. */
const WINDOW_US = 9_500_000;
const EPOCH_US = 1_000_000_000;

/**
 * Users in step: each second all of them send, have a token half a second after they were due, and their last one in
 * time for the next round.
 */
interface Level {
  /** After the window's start, of the first round that is due in it. */
  readonly dueUs: number;
  /** From due to received, and from a write to its arrival. */
  readonly onTheWayUs: number;
  /** The round that is due nearest to the window's start is received later by so much. */
  readonly heldUpUs?: number;
  /** The client's clock is ahead of the target's. */
  readonly aheadUs?: number;
  /** Counted by the report beyond what it should. */
  readonly excess?: { readonly requests: number; readonly tokens: number };
}

test("requests that are due before the window ends and received behind it are no disagreement", async (t) => {
  const { code, stdout, stderr } = await checkLevel(t, { dueUs: 498_000, onTheWayUs: 5000 });
  assert.equal(code, 0, `${stdout}${stderr}`);
  assert.match(stdout, /^ok {3}requests begun in the window: truth 360 to 400, report 400$/m);
});

test("tokens that are written before the window ends and read behind it are no disagreement", async (t) => {
  const { code, stdout, stderr } = await checkLevel(t, { dueUs: 998_000, onTheWayUs: 2500 });
  assert.equal(code, 0, `${stdout}${stderr}`);
  assert.match(stdout, /^ok {3}output tokens in the window: truth 720 to 800, report 720$/m);
});

test("requests that are due before the window begins, and are held up far into it, are no disagreement", async (t) => {
  const { code, stdout, stderr } = await checkLevel(t, {
    dueUs: -10_000,
    onTheWayUs: 1000,
    heldUpUs: 60_000,
  });
  assert.equal(code, 0, `${stdout}${stderr}`);
  assert.match(stdout, /^ok {3}requests begun in the window: truth 360 to 400, report 360$/m);
});

for (const [edge, dueUs] of [
  ["first", 500],
  ["last", 499_500],
] as const) {
  for (const aheadUs of [-2000, 2000]) {
    test(`clocks that differ by ${aheadUs} us are no disagreement at the ${edge} edge`, async (t) => {
      const { code, stdout, stderr } = await checkLevel(t, { dueUs, onTheWayUs: 1000, aheadUs });
      assert.equal(code, 0, `${stdout}${stderr}`);
      assert.match(stdout, /^ok {3}requests begun in the window: truth 360 to 400, report 400$/m);
    });
  }
}

test("beyond what lies at an edge nothing is allowed but the half per cent", async (t) => {
  const excess = { requests: 3, tokens: 0 };
  const { code, stdout } = await checkLevel(t, { dueUs: 498_000, onTheWayUs: 5000, excess });
  assert.equal(code, 1, stdout);
  assert.match(stdout, /^FAIL requests begun in the window: truth 360 to 400, report 403$/m);
});

test("a level whose rounds lie far from its edges is held to the counts of the log", async (t) => {
  const far = { dueUs: 250_000, onTheWayUs: 1000 };
  const equal = await checkLevel(t, far);
  assert.equal(equal.code, 0, `${equal.stdout}${equal.stderr}`);
  assert.match(equal.stdout, /^ok {3}requests begun in the window: truth 400, report 400$/m);
  const { code, stdout, stderr } = await checkLevel(t, { ...far, excess: { requests: 3, tokens: 5 } });
  assert.equal(code, 1, stdout);
  assert.match(stdout, /^FAIL requests begun in the window: truth 400, report 403$/m);
  assert.match(stdout, /^FAIL output tokens in the window: truth 760, report 765$/m);
  assert.match(stderr, /^2 of 7 do not hold$/m);
});

/** What the check says of a report of such a level, and of the log that its target would have written. */
function checkLevel(t: TestContext, level: Level): Promise<Finished> {
  const folder = scratch(t);
  const [report, truth] = [join(folder, "report.json"), join(folder, "truth.jsonl")];
  const rounds = Array.from({ length: 14 }, (_, i) => level.dueUs + (i - 2) * 1_000_000);
  writeFileSync(report, JSON.stringify(reportOf(rounds, level)));
  const lines = [
    { monotonicUs: 0, epochUs: EPOCH_US },
    ...rounds.flatMap((dueUs, j) => logged(j, dueUs, level)),
  ];
  writeFileSync(truth, lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
  const script = join(root, "scripts/check-truth.mjs");
  return startProcess(t, [process.execPath, script, report, truth]).finished;
}

/** One request of each user, by the target's clock: the window begins at 0. */
function logged(j: number, dueUs: number, { onTheWayUs, heldUpUs = 0 }: Level): readonly object[] {
  const writesUs = writesOf(dueUs, onTheWayUs);
  const lateUs = Math.abs(dueUs) < 500_000 ? heldUpUs : 0;
  return Array.from({ length: USERS }, (_, user) => ({
    kind: "request",
    id: `ts-made-s0-u${user}-j${j}`,
    receivedUs: dueUs + onTheWayUs + lateUs,
    endUs: writesUs[1],
    outputTokens: 2,
    finishReason: "length",
    writesUs: [writesUs[0], writesUs[1] - writesUs[0]],
  }));
}

function writesOf(dueUs: number, onTheWayUs: number): [firstUs: number, lastUs: number] {
  return [dueUs + 500_000, dueUs + 1_000_000 - onTheWayUs];
}

/** What a client that counts right would report. */
function reportOf(rounds: readonly number[], { onTheWayUs, aheadUs = 0, excess }: Level): object {
  const isInWindow = (us: number) => us >= 0 && us < WINDOW_US;
  const arrivals = rounds.flatMap((dueUs) => writesOf(dueUs, onTheWayUs).map((us) => us + onTheWayUs));
  const tokens = arrivals.filter(isInWindow).length * USERS + (excess?.tokens ?? 0);
  const level = {
    users: USERS,
    windowStartEpochUs: EPOCH_US + aheadUs,
    windowMs: WINDOW_US / 1000,
    inFlight: { mean: USERS },
    rates: { outputTokensPerS: (tokens * 1_000_000) / WINDOW_US },
    requests: { offered: rounds.filter(isInWindow).length * USERS + (excess?.requests ?? 0) },
    completedPerUserMin: rounds.filter(isInWindow).length - 1,
  };
  const completed = rounds.length * USERS;
  const totals = { requests: { completed }, tokens: { output: 2 * completed } };
  return { run: { id: "made" }, stages: [level], totals };
}
