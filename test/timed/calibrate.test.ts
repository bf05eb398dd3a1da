import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import { assertClearFailure, cliFile, runCli, scratch, startCli, startProcess } from "../integration/cli.js";
import { commandLines } from "../integration/leaks.js";

interface Level {
  readonly reader: string;
  readonly streams: number;
  readonly askedEventsPerS: number;
  readonly eventsPerS: number;
  readonly stampErrorP50Us: number;
  readonly outcome: string;
}

interface Calibration {
  readonly host: string;
  readonly levels: readonly Level[];
  readonly capacity: Readonly<Record<string, { eventsPerS: number; isAtLeast: boolean }>>;
}

/** Without taskset: a machine of two CPUs need not have one to itself. */
const UNPINNED = { PATH: "" };

/** Null servers and clients of any calibration of this checkout. */
const parts = (): string[] =>
  [...commandLines().values()].filter((line) => line.includes(`${cliFile} calibrate --part`));

test("a calibration of the smallest kind says what it found with each reader, keeps it, and leaves no process", async (t) => {
  const file = join(scratch(t), "state/calibration.json");
  const result = await runCli(
    t,
    ["calibrate", "--quick", "--streams", "20", "--rates", "500", "--json", "--file", file],
    { env: UNPINNED },
  );
  // On a busy machine no level may be clean: then that is said, and nothing is kept.
  assert.ok(result.code === 0 || /error: no level was clean/.test(result.stderr), result.stderr);
  const found: Calibration = JSON.parse(result.stdout);
  assert.deepEqual(
    found.levels.map(({ reader, streams, askedEventsPerS }) => [reader, streams, askedEventsPerS]),
    [
      ["undici", 20, 500],
      ["raw", 20, 500],
    ],
  );
  for (const { eventsPerS, stampErrorP50Us, outcome } of found.levels) {
    assert.match(outcome, /^(clean|unclean|server-limited)$/);
    assert.ok(eventsPerS > 0);
    // An event whose write was not found would be as late as the level is long.
    assert.ok(stampErrorP50Us > 0 && stampErrorP50Us < 1_000_000, `${stampErrorP50Us} us`);
  }
  if (result.code === 0) {
    assert.deepEqual(JSON.parse(readFileSync(file, "utf8")), { schemaVersion: 1, hosts: [found] });
    for (const one of Object.values(found.capacity)) assert.ok(one.eventsPerS <= 500 && one.isAtLeast);
  }
  assert.deepEqual(parts(), []);
});

test("Ctrl-C ends a calibration with 105 while its client measures, and leaves no process and no file", async (t) => {
  const file = join(scratch(t), "calibration.json");
  const running = startCli(t, ["calibrate", "--streams", "20", "--file", file], {
    env: UNPINNED,
    limitMs: 60_000,
  });
  let isOver = false;
  void running.finished.then(() => {
    isOver = true;
  });
  while (!isOver && !parts().some((line) => line.includes('"kind":"client"'))) await wait(50);
  running.signal("SIGINT");
  const { code, stdout, stderr } = await running.finished;
  assert.deepEqual([code, stdout], [105, ""], stderr);
  assert.deepEqual(parts(), []);
  assert.throws(() => readFileSync(file), /ENOENT/);
});

test("on one CPU a calibration is refused", async (t) => {
  const running = startProcess(t, ["taskset", "-c", "0", process.execPath, cliFile, "calibrate"]);
  assertClearFailure(await running.finished, { code: 1, says: /error: calibrate needs two CPUs/ });
});
