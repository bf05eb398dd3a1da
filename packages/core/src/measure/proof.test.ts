import assert from "node:assert/strict";
import { test } from "node:test";
import { createHistogram } from "./hdr-histogram.js";
import { judgeProof, type ProofEvidence, proofEvidence } from "./proof.js";
import { playOn } from "./testing/cluster.js";
import { closedLoop, planOf, runOf } from "./testing/run-facts.js";
import { seeded } from "./testing/seeded.js";

const SEED = 20260731;

/** A level of 60 s in which each second had about so many tokens, and each request about such a TTFT. */
function evidence(agents: number, tokensPerS: number, ttftUs: number, random: () => number): ProofEvidence {
  const about = (value: number) => Math.round(value * (0.9 + 0.2 * random()));
  const ttft = createHistogram();
  const e2e = createHistogram();
  for (let i = 0; i < 1200; i += 1) {
    ttft.record(about(ttftUs));
    e2e.record(about(ttftUs + 900_000));
  }
  const intervals = Array.from({ length: 60 }, () => ({
    us: 1_000_000,
    outputTokens: about(tokensPerS),
    completed: about(tokensPerS / 50),
  }));
  return { agents, intervals, histograms: new Map([["ttft", ttft] as const, ["e2e", e2e] as const]) };
}

const proof = (single: ProofEvidence, doubled: ProofEvidence) =>
  judgeProof({ level: "u100", run: "r2", single, doubled });

test(`the same level measured twice shows no difference (seed ${SEED})`, () => {
  const random = seeded(SEED);
  const found = proof(evidence(2, 5000, 80_000, random), evidence(4, 5000, 80_000, random));
  assert.equal(found.holds, true, JSON.stringify(found));
  assert.match(
    found.sentence,
    /u100 with 4 agent processes in place of 2: no figure differs .* not the limit/,
  );
  // Nothing was kept of TPOT.
  assert.deepEqual(found.figures.find(({ name }) => name === "tpotP50Us")?.isSame, null);
});

for (const [name, tokensPerS, ttftUs, differs] of [
  ["a throughput that grows by a tenth with twice the agents", 5500, 80_000, "outputTokensPerS"],
  ["a TTFT that falls by a tenth with twice the agents", 5000, 72_000, "ttftP50Us"],
] as const) {
  test(`${name} was the client's doing (seed ${SEED})`, () => {
    const random = seeded(SEED);
    const found = proof(evidence(2, 5000, 80_000, random), evidence(4, tokensPerS, ttftUs, random));
    assert.equal(found.holds, false);
    const figure = found.figures.find((one) => one.name === differs);
    assert.equal(figure?.isSame, false, JSON.stringify(found));
    const change = (figure?.doubled ?? 0) - (figure?.single ?? 0);
    assert.ok((figure?.difference?.low ?? 0) <= change && change <= (figure?.difference?.high ?? 0));
  });
}

test("a difference that is surely under 2 % is none that matters", () => {
  const steady = (tokensPerS: number): ProofEvidence => ({
    ...evidence(2, 5000, 80_000, seeded(SEED)),
    intervals: Array.from({ length: 30 }, () => ({ us: 1_000_000, outputTokens: tokensPerS, completed: 10 })),
  });
  assert.equal(proof(steady(5000), steady(5090)).figures[0]?.isSame, true);
  assert.equal(proof(steady(5000), steady(5110)).figures[0]?.isSame, false);
});

test("an interval that holds 0 and much else is no proof", () => {
  const uneven = (...tokens: number[]): ProofEvidence => ({
    ...evidence(2, 5000, 80_000, seeded(SEED)),
    intervals: tokens.map((outputTokens) => ({ us: 1_000_000, outputTokens, completed: outputTokens / 50 })),
  });
  const found = proof(uneven(100, 200), uneven(300, 150));
  assert.equal(found.figures[0]?.isSame, null);
  assert.equal(found.holds, null);
});

test("of a level with next to nothing in it there is no proof", () => {
  const none: ProofEvidence = { agents: 1, intervals: [], histograms: new Map() };
  const found = proof(none, { ...none, agents: 2 });
  assert.equal(found.holds, null);
  assert.ok(found.figures.every(({ difference }) => difference === null));
});

test("evidence is the level's measured whole seconds over all agents, and nothing counts twice", async () => {
  const S = 1_000_000;
  const run = runOf(
    planOf({}),
    closedLoop({ stage: 0, fromUs: 0, toUs: 12 * S, users: 4, e2eUs: () => 500_000 }),
  );
  const snapshots = playOn(run, 2).flatMap((played) => played.snapshots);
  const found = await proofEvidence(0, [...snapshots, ...snapshots]);
  assert.equal(found.agents, 2);
  assert.deepEqual(
    found.intervals.map(({ completed }) => completed),
    Array.from({ length: 10 }, () => 8),
  );
  assert.equal(found.histograms.get("e2e")?.count, 80);
  // Half of what happened in a second would be half of a rate.
  const last = snapshots.filter(({ agent, seq }) => agent !== snapshots[0]?.agent || seq !== 5);
  assert.equal((await proofEvidence(0, last)).intervals.length, 9);
});
