import assert from "node:assert/strict";
import { test } from "node:test";
import { probeBucketUs } from "@tokenstorm/core";
import { systemClock } from "@tokenstorm/protocol";
import { SelfProbe } from "./self-probe.js";

const { nowUs } = systemClock();

async function turnsOfTheLoop(ms: number): Promise<void> {
  const until = performance.now() + ms;
  while (performance.now() < until) await new Promise((resolve) => setTimeout(resolve, 1));
}

function busyFor(ms: number): void {
  const until = performance.now() + ms;
  while (performance.now() < until);
}

async function firstStamps(probe: SelfProbe): Promise<void> {
  const until = performance.now() + 10_000;
  while (probe.take(nowUs()) === undefined) {
    assert.ok(performance.now() < until, "no stamp came");
    await turnsOfTheLoop(5);
  }
}

test("a loop that is blocked for 240 ms reads a dozen probes late, by up to 240 ms", async (t) => {
  const probe = new SelfProbe({ nowUs, onAbsent: (why) => assert.fail(why) });
  t.after(() => probe.stop());
  probe.start();
  probe.start();
  await firstStamps(probe);
  busyFor(240);
  await turnsOfTheLoop(30);
  const delays = probe.take(nowUs());
  assert.ok(delays !== undefined && delays.maxUs > 190_000, JSON.stringify(delays));
  // Evenly spread over the block, so that about nine of the dozen waited for more than a quarter of it.
  const late = delays.buckets.filter((_, bucket) => probeBucketUs(bucket) > 60_000);
  assert.ok(late.reduce((sum, count) => sum + count, 0) >= 5, JSON.stringify(delays));
});

test("what was read after the edge of an interval belongs to the next one", async (t) => {
  const probe = new SelfProbe({ nowUs, onAbsent: (why) => assert.fail(why) });
  t.after(() => probe.stop());
  probe.start();
  await firstStamps(probe);
  const edgeUs = nowUs();
  busyFor(60);
  await turnsOfTheLoop(20);
  const before = probe.take(edgeUs);
  const after = probe.take(nowUs());
  assert.ok((before?.maxUs ?? 0) < (after?.maxUs ?? 0), JSON.stringify({ before, after }));
  assert.ok((after?.maxUs ?? 0) > 25_000, JSON.stringify(after));
});

test("a probe that was stopped says nothing, and can be started again", async (t) => {
  const probe = new SelfProbe({ nowUs, onAbsent: (why) => assert.fail(why) });
  t.after(() => probe.stop());
  probe.start();
  await firstStamps(probe);
  probe.stop();
  probe.stop();
  await turnsOfTheLoop(20);
  assert.equal(probe.take(nowUs()), undefined);
  probe.start();
  await firstStamps(probe);
});

for (const [name, code, says] of [
  ["a thread that fails", 'throw new Error("no loopback here")', /no loopback here/],
  [
    "a port at which nobody listens",
    'require("node:worker_threads").parentPort.postMessage(1)',
    /ECONNREFUSED|EACCES|refused/,
  ],
] as const) {
  test(`${name} leaves no probe, which is said once, and nothing else fails`, async (t) => {
    const said: string[] = [];
    const probe = new SelfProbe({ nowUs, code, onAbsent: (why) => said.push(why) });
    t.after(() => probe.stop());
    probe.start();
    const until = performance.now() + 10_000;
    while (said.length === 0 && performance.now() < until) await turnsOfTheLoop(5);
    probe.start();
    await turnsOfTheLoop(20);
    assert.equal(said.length, 1, said.join());
    assert.match(said[0] ?? "", says);
    assert.equal(probe.take(nowUs()), undefined);
  });
}
