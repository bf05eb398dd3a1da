import assert from "node:assert/strict";
import { test } from "node:test";
import { auditResults } from "./audit-results.js";
import type { AuditedRow, AuditRule, ClaimedRow, FindingKind } from "./audit-types.js";
import { exact, type Figure, printedFigure } from "./figure.js";

function p(text: string): Figure {
  const figure = printedFigure(text);
  assert.ok(figure !== undefined, text);
  return figure;
}

type Change = Partial<Omit<ClaimedRow, "latencyS">> & { latencyS?: Partial<ClaimedRow["latencyS"]> };

/** 50 in flight: 25 requests/s of 2.00 s each, 1,000 of them in 40 s. */
function aRow(change: Change = {}): ClaimedRow {
  return {
    label: "row",
    concurrency: 50,
    requests: 1000,
    requestsPerS: p("25.0"),
    durationS: p("40.0"),
    ...change,
    latencyS: { mean: p("2.00"), percentiles: [], ...change.latencyS },
  };
}

function audit(row: ClaimedRow): AuditedRow {
  const [audited] = auditResults([row]).rows;
  assert.ok(audited !== undefined);
  return audited;
}

test("a row whose numbers agree is consistent, with nothing to say", () => {
  const row = audit(aRow());
  assert.equal(row.status, "consistent");
  assert.deepEqual(row.findings, []);
  assert.equal(row.littleMean, 50);
  assert.equal(row.requestsPerUser, 20);
});

const cases: readonly (readonly [string, Change, FindingKind, AuditRule, RegExp])[] = [
  [
    "more claimed than requests were sent is at most those",
    { concurrency: 2000 },
    "at-most",
    "count",
    /^2,000 claimed, at most 1,000 could be: 1,000 requests were sent in all/,
  ],
  [
    "more claimed than the row's own peak is at most that",
    { peakInFlight: 49 },
    "at-most",
    "peak",
    /^50 claimed, at most 49 could be: the row's own count/,
  ],
  [
    "under two thirds of the label by Little's law is at most that",
    { concurrency: 100 },
    "at-most",
    "little",
    /^100 claimed\. Little's law allows 50\.3 on average, rounding included: 25 requests\/s x mean latency 2 s, if none failed; that is 50\.3 % of the label$/,
  ],
  [
    "over two thirds of the label is not steady only: it may have been reached",
    { concurrency: 60 },
    "not-steady",
    "little",
    /^60 claimed\. Little's law allows 50\.3 on average/,
  ],
  [
    "more in flight than were let in is impossible",
    { concurrency: 40 },
    "impossible",
    "capacity",
    /is at least 49\.78 in flight on average, but 40 were let in at a time: beyond rounding, a tolerance of 2 % and 4 % for the edges/,
  ],
  [
    "a p90 above the p99 is impossible",
    {
      latencyS: {
        percentiles: [
          { percentile: 90, value: p("3.1") },
          { percentile: 99, value: p("2.9") },
        ],
      },
    },
    "impossible",
    "percentile-order",
    /p90 3\.1 s > p99 2\.9 s/,
  ],
  [
    "a mean above the maximum is impossible",
    { latencyS: { max: p("1.90") } },
    "impossible",
    "mean-in-range",
    /mean latency 2 s > maximum 1\.9 s/,
  ],
  [
    "a mean below the minimum is impossible",
    { latencyS: { min: p("2.10") } },
    "impossible",
    "mean-in-range",
    /mean latency 2 s < minimum 2\.1 s/,
  ],
  [
    "a mean that half of the requests exceed by themselves is impossible",
    { latencyS: { percentiles: [{ percentile: 50, value: p("4.50") }] } },
    "impossible",
    "mean-in-range",
    /at least p50, which alone makes 2\.2\d+ s/,
  ],
  [
    "a rate and a duration that make another number of requests are impossible",
    { durationS: p("60.0") },
    "impossible",
    "rate-and-duration",
    /25 requests\/s x 60 s = 1,500 requests, but 1,000 are claimed/,
  ],
  [
    "tokens per second beyond requests times tokens are impossible",
    { outputTokensPerS: p("5000"), outputTokensPerRequest: p("128") },
    "impossible",
    "tokens",
    /25 requests\/s x 128 output tokens = 3,200 tok\/s, but 5,000 are claimed/,
  ],
  [
    "more completed than sent is impossible",
    { completed: 1001, durationS: undefined },
    "impossible",
    "success",
    /1,001 completed of 1,000 requests/,
  ],
  [
    "a success that its counts do not make is impossible",
    { completed: 990, successShare: p("1.00") },
    "impossible",
    "success",
    /success 100 % is claimed, but 990 \/ 1,000 = 99 %/,
  ],
  [
    "a success above all is impossible",
    { successShare: p("1.20") },
    "impossible",
    "success",
    /success is 120 %/,
  ],
  [
    "two requests for each user are not steady",
    { requests: 100, durationS: p("4.0") },
    "not-steady",
    "few-per-user",
    /100 requests \/ 50 claimed = 2 for each user, fewer than 3/,
  ],
  [
    "a run shorter than three of its latencies is not steady",
    { requests: undefined, durationS: p("5.0") },
    "not-steady",
    "short-run",
    /the run took 5 s, 2\.5 times its mean latency of 2 s, fewer than 3/,
  ],
  [
    "without a claim there is nothing to judge",
    { concurrency: undefined },
    "cannot-judge",
    "missing",
    /no concurrency is claimed/,
  ],
  [
    "without a rate the mean in flight cannot be bounded",
    { requestsPerS: undefined, durationS: undefined },
    "cannot-judge",
    "missing",
    /lacks requests\/s \(or tokens\/s and tokens per request\); at a moment, 1,000 at most/,
  ],
  [
    "without a latency the mean in flight cannot be bounded",
    { latencyS: { mean: undefined } },
    "cannot-judge",
    "missing",
    /lacks the mean end-to-end latency/,
  ],
  [
    "percentiles alone do not bound a mean whose longest request is not known",
    {
      requests: undefined,
      durationS: undefined,
      latencyS: { mean: undefined, percentiles: [{ percentile: 99, value: p("3.0") }] },
    },
    "cannot-judge",
    "missing",
    /lacks the mean latency \(or, beside the percentiles, the maximum, the duration or the number of requests\)/,
  ],
];
for (const [name, change, kind, rule, says] of cases) {
  test(name, () => {
    const row = audit(aRow(change));
    const finding = row.findings.find((one) => one.kind === kind && one.rule === rule);
    assert.ok(finding !== undefined, JSON.stringify(row.findings));
    assert.match(finding.sentence, says);
    assert.equal(row.status, kind, "it is the worst finding");
    assert.equal(row.isContradicted, kind === "impossible" || kind === "at-most");
  });
}

test("what its last digit leaves open is never held against a row", () => {
  // 0.2 is anything from 0.15 to 0.25: 150 requests in 1,000 s or 250.
  for (const [requests, status] of [
    [150, "consistent"],
    [250, "consistent"],
    [130, "impossible"],
    [270, "impossible"],
  ] as const) {
    const row = audit(
      aRow({
        concurrency: 1,
        requests,
        requestsPerS: p("0.2"),
        durationS: p("1000"),
        latencyS: { mean: p("5") },
      }),
    );
    assert.equal(row.status, status, `${requests}: ${JSON.stringify(row.findings)}`);
  }
});

test("failed requests may have been in flight all the time", () => {
  const row = audit(aRow({ concurrency: 100, completed: 950, failed: 50, durationS: undefined }));
  assert.equal(row.status, "consistent", JSON.stringify(row.findings));
  assert.ok((row.meanAtMost ?? 0) >= 100);
  assert.equal(row.success.share, 0.95);
  assert.ok((row.success.lower95 ?? 1) < 0.95 && (row.success.lower95 ?? 0) > 0.93);
});

test("100 successes of 100 bound the success at 97 % with 95 % confidence", () => {
  const { success } = audit(aRow({ requests: 100, successShare: exact(1), durationS: p("4.0") }));
  assert.equal(success.share, 1);
  assert.ok(Math.abs((success.lower95 ?? 0) - 0.05 ** 0.01) < 1e-12);
});

test("a window owes nothing to the number of requests that were due in it", () => {
  const row = audit(
    aRow({
      isWindow: true,
      concurrency: 1200,
      requests: 1000,
      requestsPerS: p("26.1"),
      measuredInFlight: exact(1190),
    }),
  );
  assert.ok(
    row.findings.every((one) => one.kind === "not-steady"),
    JSON.stringify(row.findings),
  );
});

test("throughput from tokens stands for requests where they are not printed", () => {
  const row = audit(
    aRow({
      concurrency: 100,
      requestsPerS: undefined,
      durationS: undefined,
      outputTokensPerS: p("3200"),
      outputTokensPerRequest: p("128.0"),
    }),
  );
  assert.match(
    row.findings[0]?.sentence ?? "",
    /25 requests\/s \(3,200 output tok\/s \/ 128 tokens per request\)/,
  );
});

const levels = (
  group: string | undefined,
  works: readonly (readonly [number, string, string])[],
): ClaimedRow[] =>
  works.map(([concurrency, tokensPerS, p99]) => ({
    label: `${concurrency}`,
    concurrency,
    group,
    totalTokensPerS: p(tokensPerS),
    latencyS: { percentiles: [{ percentile: 99, value: p(p99) }] },
  }));

const plateau = [
  [100, "1000", "10.0"],
  [200, "2000", "10.0"],
  [400, "2000", "10.0"],
] as const;

test("rows of the same work show the one whose label grew and whose load did not", () => {
  const { rows } = auditResults(levels("g", plateau));
  assert.deepEqual(
    rows.map((row) => row.status),
    ["consistent", "consistent", "at-most"],
  );
  assert.match(
    rows[2]?.findings[0]?.sentence ?? "",
    /^400 claimed\. Little's law allows 21\d(\.\d)? on average if each request was the same work, assuming .* total tok\/s x p99 is 20,000 here and 100 for each request in flight in the rows that claim 100, 200/,
  );
});

test("rows are compared with each other only in a group, and only with two that agree", () => {
  assert.ok(auditResults(levels(undefined, plateau)).rows.every((row) => row.status === "cannot-judge"));
  const alone = [
    [10, "2857", "22.76"],
    [50, "5694", "23.49"],
    [100, "5518", "24.22"],
  ] as const;
  assert.ok(auditResults(levels("g", alone)).rows.every((row) => row.status === "cannot-judge"));
});

test("the report counts what it found", () => {
  const report = auditResults([
    aRow(),
    aRow({ concurrency: 100 }),
    aRow({ concurrency: 60 }),
    aRow({ concurrency: undefined }),
  ]);
  assert.equal(report.contradicted, 1);
  assert.equal(report.notSteady, 1);
  assert.equal(report.cannotJudge, 1);
});
