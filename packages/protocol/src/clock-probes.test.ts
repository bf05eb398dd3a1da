import assert from "node:assert/strict";
import { test } from "node:test";
import { VirtualClock } from "@tokenstorm/testkit";
import { probeClocks } from "./clock-probes.js";
import { decodeClockProbe, encodeClockReply } from "./codec.js";
import { createMemoryHub } from "./memory/hub.js";
import { subjects } from "./subjects.js";

const names = subjects();
const agents = [{ agent: "a1", instance: "a1-1" }];

interface Answer {
  readonly t0: number;
  readonly t1: number;
  readonly t2: number;
  readonly instance: string;
  readonly asker?: string;
}

/** An agent 7 s ahead whose answers take 1 ms there and 3 ms back, changed as asked for. */
async function probe(change: (answer: Answer, probe: number) => Answer | Uint8Array | undefined) {
  const clock = new VirtualClock({ nowUs: 5_000_000 });
  const hub = createMemoryHub({ clock });
  const [leader, agent] = [hub.connect(), hub.connect()];
  let probes = 0;
  agent.bus.subscribe(names.clock("a1"), (message) => {
    probes += 1;
    const { t0, asker } = decodeClockProbe(message.data);
    const nth = probes;
    clock.at(clock.nowUs() + 1000, () => {
      const t1 = clock.nowUs() + 7_000_000;
      const answer = change({ t0, t1, t2: t1, instance: "a1-1" }, nth);
      clock.at(clock.nowUs() + 3000, () => {
        if (answer === undefined) return;
        const reply =
          answer instanceof Uint8Array ? answer : encodeClockReply({ asker, ...answer, host: "h", pid: 1 });
        agent.bus.publish(names.clockAnswer("a1"), reply);
      });
    });
  });
  const refusals: string[] = [];
  const probing = probeClocks(agents, {
    bus: leader.bus,
    subjects: names,
    clock,
    onRefusal: (error) => refusals.push(error.message),
  });
  await clock.advanceByAsync(20_000_000);
  return { offset: (await probing).get("a1"), probes, refusals };
}

test("sixteen exchanges give the offset within half the round trip", async () => {
  const { offset, probes } = await probe((answer) => answer);
  assert.equal(probes, 16);
  // Four of them took 16 ms, in which clocks may part by 16 us.
  assert.deepEqual(offset, { offsetUs: 6_999_000, errorUs: 2008, rttUs: 4000, atUs: 5_008_000 });
});

test("answers of another process, to another probe, or that cannot be, do not count", async () => {
  const changes: readonly ((answer: Answer) => Answer)[] = [
    (answer) => ({ ...answer, instance: "a1-2" }),
    (answer) => ({ ...answer, asker: "another" }),
    (answer) => ({ ...answer, t0: answer.t0 - 1 }),
    (answer) => ({ ...answer, t2: answer.t1 - 1 }),
    (answer) => ({ ...answer, t2: answer.t1 + 5000 }),
  ];
  for (const change of changes) assert.equal((await probe(change)).offset, undefined, change.toString());
});

test("a few lost answers do no harm, and an agent that is silent is given up early", async () => {
  assert.equal(
    (await probe((answer, nth) => (nth % 3 === 0 ? answer : undefined))).offset?.offsetUs,
    6_999_000,
  );
  const silent = await probe(() => undefined);
  assert.equal(silent.offset, undefined);
  assert.equal(silent.probes, 13);
});

test("garbage for an answer is refused, and told", async () => {
  const { offset, refusals } = await probe((answer, nth) => (nth === 1 ? new Uint8Array([1, 2]) : answer));
  assert.equal(offset?.offsetUs, 6_999_000);
  assert.equal(refusals.length, 1);
});
