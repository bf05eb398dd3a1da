import assert from "node:assert/strict";
import { test } from "node:test";
import type { Length } from "../plan/schema.js";
import type { RunFacts, ServerTimes } from "../run/facts.js";
import type { RunReport } from "../run/report.js";
import { foldAll, playOn } from "./testing/cluster.js";
import { closedLoop, counters, factsOf, planOf, reportOf, runOf } from "./testing/run-facts.js";

const S = 1_000_000;
// As the scripted requests ask for.
const plan = planOf({ workload: { inputTokens: 7, outputTokens: 9 } });

/** Four users, each answered after 0.5 s with 11 tokens: 96 requests; `cut` of them fail. */
function reportWith(change: {
  readonly after: Parameters<typeof counters>[0];
  readonly before?: Parameters<typeof counters>[0];
  readonly isQuiescent?: boolean;
  readonly cut?: number;
  readonly plan?: typeof plan;
  /** Number of an interval that is missing of the first agent. */
  readonly lacks?: number;
}): RunReport {
  const fails = (user: number, j: number) => user === 0 && j < (change.cut ?? 0);
  const { plan: planned = plan } = change;
  const run = runOf(
    planned,
    closedLoop({ stage: 0, fromUs: 0, toUs: 12 * S, users: 4, e2eUs: () => 500_000, fails }),
  );
  const scrapes: Pick<RunFacts, "serverBefore" | "serverAfter"> = {
    serverBefore: { quiescent: true, counters: counters(change.before) },
    serverAfter: { quiescent: change.isQuiescent ?? true, counters: counters(change.after) },
  };
  const facts = factsOf(planned, run, 2, { facts: scrapes });
  const played = playOn(run, 2).map((one, agent) => ({
    ...one,
    snapshots: one.snapshots.filter(({ seq }) => agent > 0 || seq !== change.lacks),
  }));
  return reportOf(facts, foldAll(run, played), { stages: run.stages });
}

const totalsWith = (change: Parameters<typeof reportWith>[0]) => reportWith(change).totals;

const verdicts = ({ server }: RunReport["totals"]) =>
  Object.fromEntries((server.checks ?? []).map(({ of, tolerance, agrees }) => [of, [tolerance, agrees]]));

const same = { promptTokens: 9600, generationTokens: 1056, successes: 96 };

test("where every request completed, the target's counts must be the client's to the last token", () => {
  assert.deepEqual(verdicts(totalsWith({ after: same })), {
    output: [0, true],
    prompt: [0, true],
    successes: [0, true],
  });
  const off = totalsWith({ after: { ...same, generationTokens: 1057, promptTokens: 9599 } });
  assert.deepEqual(verdicts(off), { output: [0, false], prompt: [0, false], successes: [0, true] });
});

test("each request that did not complete explains one whole answer more at the target, and never one less", () => {
  // Three of 96 failed: 93 answers of 11 tokens were seen, of 9 asked each.
  const seen = { promptTokens: 9300, generationTokens: 1023, successes: 93 };
  const withCut = (after: typeof seen) => verdicts(totalsWith({ after, cut: 3 }));
  assert.deepEqual(withCut(seen), { output: [27, true], prompt: [300, true], successes: [3, true] });
  const most = { promptTokens: 9600, generationTokens: 1050, successes: 96 };
  assert.deepEqual(withCut(most), { output: [27, true], prompt: [300, true], successes: [3, true] });
  const more = { promptTokens: 9601, generationTokens: 1051, successes: 97 };
  assert.deepEqual(withCut(more), { output: [27, false], prompt: [300, false], successes: [3, false] });
  const fewer = { promptTokens: 9299, generationTokens: 1022, successes: 92 };
  assert.deepEqual(withCut(fewer), { output: [27, false], prompt: [300, false], successes: [3, false] });
});

test("a target that was not at rest is neither right nor wrong", () => {
  const busy = totalsWith({ after: { ...same, successes: 400 }, isQuiescent: false });
  assert.deepEqual(Object.values(verdicts(busy)), [
    [0, null],
    [0, null],
    [0, null],
  ]);
  assert.deepEqual(busy.server.latencies, []);
});

test("the target's mean TTFT and E2E between the scrapes stand beside the client's, with the difference", () => {
  const times = (ttftUs: number, e2eUs: number, count: number): ServerTimes => ({
    ttft: { sumUs: ttftUs * count, count },
    itl: null,
    e2e: { sumUs: e2eUs * count, count },
  });
  const before = times(7_000_000, 9_000_000, 4);
  const run = times(49_000, 495_000, 96);
  const add = (name: "ttft" | "e2e") => ({
    sumUs: (before[name]?.sumUs ?? 0) + (run[name]?.sumUs ?? 0),
    count: 100,
  });
  const { server } = totalsWith({
    before: { times: before },
    after: { ...same, times: { ttft: add("ttft"), itl: null, e2e: add("e2e") } },
  });
  assert.deepEqual(
    (server.latencies ?? []).map(({ of, serverMeanUs, serverCount, clientMeanUs, clientCount }) => [
      of,
      serverMeanUs,
      serverCount,
      clientMeanUs,
      clientCount,
    ]),
    [
      ["ttft", 49_000, 96, 50_000, 96],
      ["e2e", 495_000, 96, 500_000, 96],
    ],
  );
  assert.deepEqual(
    server.latencies?.map(({ differenceUs }) => differenceUs),
    [1000, 5000],
  );
  const restarted = totalsWith({ before: { times: times(1, 1, 1e6) }, after: { ...same, times: before } });
  assert.deepEqual(restarted.server.latencies, [], "a restart leaves nothing to say");
});

test("a count that differs beyond what is explained degrades a result, and one that is explained does not", () => {
  const agreed = reportWith({ after: same }).verdict;
  assert.deepEqual([agreed.status, agreed.reasons], ["valid", []]);
  const off = reportWith({ after: { ...same, generationTokens: 1000 } }).verdict;
  assert.deepEqual(
    [off.status, off.reasons],
    [
      "degraded",
      [
        "the target counted 1000 output tokens, the client 1056: " +
          "its count must be the same, since every request completed, unless its metrics are those of some replicas only",
      ],
    ],
  );
  const seen = { promptTokens: 9300, generationTokens: 1023, successes: 93 };
  const explained = reportWith({ after: { ...seen, successes: 96 }, cut: 3 }).verdict;
  assert.deepEqual(explained.reasons, []);
  const beyond = reportWith({ after: { ...seen, successes: 97 }, cut: 3 }).verdict;
  assert.deepEqual(
    [beyond.status, beyond.reasons],
    [
      "degraded",
      [
        "the target counted 97 successes, the client 93: " +
          "its count may be up to 3 more, since 3 requests did not complete",
      ],
    ],
  );
});

test("what cannot be compared leaves the verdict alone: a target that was not at rest", () => {
  const busy = reportWith({ after: { ...same, successes: 400 }, isQuiescent: false });
  assert.deepEqual([busy.verdict.status, busy.verdict.reasons], ["valid", []]);
});

test("where intervals of the client are missing its sums are too small, and nobody is said to be wrong", () => {
  const lacking = reportWith({ after: same, lacks: 5 });
  assert.deepEqual(Object.values(verdicts(lacking.totals)), [
    [null, null],
    [null, null],
    [null, null],
  ]);
  assert.equal(lacking.verdict.reasons.filter((reason) => /the target counted/.test(reason)).length, 0);
});

test("one open request may be the longest that the plan asks for, and without a longest nothing is judged", () => {
  const varied = (outputTokens: Length) =>
    verdicts(
      reportWith({
        after: { promptTokens: 9600, generationTokens: 1023 + 60, successes: 96 },
        cut: 3,
        plan: planOf({ workload: { inputTokens: { kind: "uniform", min: 5, max: 9 }, outputTokens } }),
      }).totals,
    );
  assert.deepEqual(varied({ kind: "uniform", min: 1, max: 20 })["output"], [60, true]);
  assert.deepEqual(varied({ kind: "uniform", min: 1, max: 19 })["output"], [57, false]);
  assert.deepEqual(varied({ kind: "lognormal", median: 9, sigma: 1 })["output"], [null, null]);
  // 100 tokens each where 7 were asked: the two more of the longest are 2 x 100 / 7.
  assert.deepEqual(varied(9)["prompt"], [386, true]);
});
