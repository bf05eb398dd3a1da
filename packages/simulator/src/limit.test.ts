import assert from "node:assert/strict";
import { test } from "node:test";
import { judgeLimit, type LimitedBy } from "@tokenstorm/core";
import type { StepTable } from "./engine/step-time.js";
import { profiles } from "./profiles.js";
import { runLadder, type VirtualLadder } from "./testing/virtual-ladder.js";

/** A step is as long with 400 sequences as with one, or nearly. */
const flat: StepTable = [
  [1, 20],
  [1000, 24],
];
/** Beyond ten sequences each adds as much as any other. */
const steep: StepTable = [
  [1, 20],
  [10, 20],
  [1000, 2000],
];

const setUps: readonly (readonly [string, VirtualLadder, LimitedBy | null, RegExp])[] = [
  [
    "max_num_seqs of 16 under 40 users",
    { engine: { decodeStepMs: flat, maxNumSeqs: 16 }, users: [8, 40] },
    "queue",
    /level u40 2[34]\.\d requests waited on average while it ran 16 and no more/,
  ],
  [
    "max_num_seqs of 16 under 40 users, in one level",
    { engine: { decodeStepMs: flat, maxNumSeqs: 16 }, users: [40] },
    "queue",
    /it ran 16 and no more/,
  ],
  [
    "max_num_seqs of 16 on a server whose steps grow too",
    { engine: { decodeStepMs: steep, maxNumSeqs: 16 }, users: [8, 40] },
    "queue",
    /it ran 16 and no more/,
  ],
  [
    "a KV cache of 200 blocks under 40 users that need 17 each",
    { engine: { decodeStepMs: flat, kvBlocks: 200 }, users: [5, 40] },
    "kv",
    /level u40 it was up to (9\d|100) % full/,
  ],
  [
    "a KV cache of 200 blocks, in one level",
    { engine: { decodeStepMs: flat, kvBlocks: 200 }, users: [40] },
    "kv",
    /requests waited on average and [1-9]\d* were preempted/,
  ],
  [
    "steps that grow in proportion to their sequences",
    { engine: { decodeStepMs: steep }, users: [40, 80] },
    "compute",
    /\(u40\) to 80\.0 \(u80\), x 2\.00, output grew x [01]\.\d+ .* while 0\.0 waited/,
  ],
  [
    "steps that grow in proportion, in one level with a ramp",
    { engine: { decodeStepMs: steep }, users: [80], rampUs: 14_000_000 },
    "compute",
    /by the server's own times, from \d+\.\d running to 80\.0 .*\(power 0\.\d+\) and the time between tokens x 3/,
  ],
  [
    "prompts that take all of the server's time",
    { engine: { decodeStepMs: flat, prefillTokensPerS: 4000 }, users: [20, 60], promptTokens: 800 },
    "compute",
    /u20\) to 60\.0 \(u60\), x 3\.0/,
  ],
  [
    "steps that hardly grow",
    { engine: { decodeStepMs: flat }, users: [10, 40] },
    "nobody",
    /x 4\.00, output grew x 3\.\d+ .*0 of 60 agent intervals were red/,
  ],
  [
    "steps that hardly grow, in one level with a ramp",
    { engine: { decodeStepMs: flat }, users: [60], rampUs: 14_000_000 },
    "nobody",
    /by the server's own times/,
  ],
  [
    "Llama's step times from 50 to 200 users, between free and saturated",
    {
      engine: { decodeStepMs: profiles["llama-3.1-405b"].decodeStepMs, prefillTokensPerS: 1e6 },
      users: [50, 200],
    },
    null,
    /more than a saturated server's \(power 0\.25\) and less than a free one's \(0\.75\)/,
  ],
  [
    "a client that takes 300 ms to send again",
    { engine: { decodeStepMs: flat }, users: [10, 40], clientUs: 300_000 },
    "client",
    /3\d\.\d requests were in flight of 40 asked for/,
  ],
  [
    "a client that takes 300 ms to send again, before a queue",
    { engine: { decodeStepMs: flat, maxNumSeqs: 36 }, users: [10, 40], clientUs: 300_000 },
    "client",
    /3\d\.\d requests were in flight of 40 asked for/,
  ],
];

for (const [name, ladder, by, sentence] of setUps) {
  test(`${name}: ${by ?? "no one that is certain"} is the limit`, () => {
    const limit = judgeLimit(runLadder(ladder));
    assert.deepEqual([limit.by, sentence.test(limit.sentence)], [by, true], limit.sentence);
  });
}

test("with the same engine, a red client is the limit in every set-up", () => {
  for (const [name, ladder] of setUps.slice(0, 6)) {
    const red = { red: 1, measured: 60, share: 1 / 60 };
    assert.equal(judgeLimit({ ...runLadder(ladder), red }).by, "client", name);
  }
});
