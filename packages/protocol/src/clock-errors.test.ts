import assert from "node:assert/strict";
import { test } from "node:test";
import { aHeartbeat, VirtualClock } from "@tokenstorm/testkit";
import { createClockErrors } from "./clock-errors.js";
import { decodeClockProbe, encodeClockReply } from "./codec.js";
import { createMemoryHub } from "./memory/hub.js";
import { subjects } from "./subjects.js";

const names = subjects();

/** Agent a1 answers after 2 ms; a2 listens and says nothing, as one that hangs. */
function world() {
  const clock = new VirtualClock({ nowUs: 5_000_000 });
  const hub = createMemoryHub({ clock });
  const agents = hub.connect();
  const probes = { a1: 0, a2: 0 };
  agents.bus.subscribe(names.clock("a1"), (message) => {
    probes.a1 += 1;
    const { t0, asker } = decodeClockProbe(message.data);
    clock.at(clock.nowUs() + 2000, () => {
      const t1 = clock.nowUs();
      const reply = encodeClockReply({ t0, asker, t1, t2: t1, instance: "a1-1", host: "h", pid: 1 });
      agents.bus.publish(names.clockAnswer("a1"), reply);
    });
  });
  agents.bus.subscribe(names.clock("a2"), () => {
    probes.a2 += 1;
  });
  const errors = createClockErrors({ transport: hub.connect(), subjects: names }, clock);
  /** With the time that it took. */
  const list = async (...heard: readonly string[]) => {
    const beganUs = clock.nowUs();
    const beats = await errors.of(heard.map((agent) => aHeartbeat({ agent })));
    return { known: beats.map(({ clockErrorUs }) => clockErrorUs !== null), tookUs: clock.nowUs() - beganUs };
  };
  return { clock, probes, list };
}

test("agents that are silent hold a list up for two seconds, and are not asked again for half a minute", async () => {
  const { clock, probes, list } = world();
  const first = list("a1", "a2");
  await clock.advanceByAsync(10_000_000);
  assert.deepEqual(await first, { known: [true, false], tookUs: 2_000_000 });
  assert.deepEqual(probes, { a1: 16, a2: 4 });
  assert.deepEqual(await list("a1", "a2"), { known: [true, false], tookUs: 0 });
  assert.deepEqual(probes, { a1: 16, a2: 4 });
  await clock.advanceByAsync(21_000_000);
  const later = list("a2");
  await clock.advanceByAsync(10_000_000);
  await later;
  assert.equal(probes.a2, 8);
});

test("all who ask at once share one asking, also where one of them knows of an agent more", async () => {
  const { clock, probes, list } = world();
  const all = [list("a2"), list("a1", "a2"), list("a1")];
  await clock.advanceByAsync(10_000_000);
  const [silent, both, answered] = await Promise.all(all);
  assert.deepEqual([silent?.known, both?.known, answered?.known], [[false], [true, false], [true]]);
  assert.equal(answered?.tookUs, 32_000);
  assert.deepEqual(probes, { a1: 16, a2: 4 });
});
