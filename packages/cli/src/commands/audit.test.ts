import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { type AuditedRow, type AuditReport, LoadError } from "@tokenstorm/core";
import { readResults } from "../audit/read-results.js";
import { type CommandResult, runCommand } from "../testing/run-command.js";

const fixture = (name: string): string =>
  fileURLToPath(new URL(`../../fixtures/audit/${name}`, import.meta.url));

const audit = (...argv: string[]): Promise<CommandResult> => runCommand("audit", ...argv);

/** The audit of a file as data, and the exit code that came with it. */
async function auditJson(
  ...argv: string[]
): Promise<{ readonly code: number; readonly report: AuditReport }> {
  const { code, stdout, stderr } = await audit(...argv, "--json");
  assert.equal(stderr, "");
  const report: AuditReport = JSON.parse(stdout);
  return { code, report };
}

function written(t: TestContext, text: string | Buffer): string {
  const folder = mkdtempSync(join(tmpdir(), "tokenstorm-test-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, "results.csv");
  writeFileSync(file, text);
  return file;
}

const labels = (rows: readonly AuditedRow[]): string[] => rows.map((row) => row.label);
const MODELS = ["qwen3-vl", "llama", "deepseek", "kimi"];

test("of the study's levels with a published number of requests, those above 100 had at most 100 in flight", async () => {
  const { code, report } = await auditJson(fixture("study-levels.csv"));
  assert.equal(code, 110);
  const contradicted = report.rows.filter((row) => row.isContradicted);
  assert.deepEqual(labels(contradicted), [
    ...MODELS.flatMap((model) => [200, 500, 750, 1000].map((users) => `${model} multi-run ${users}`)),
    ...[200, 500].flatMap((users) => [`llama aiter-off ${users}`, `llama aiter-on ${users}`]),
  ]);
  for (const row of contradicted) {
    assert.equal(row.status, "at-most");
    assert.equal(row.atMost, 100, row.label);
    assert.match(row.findings[0]?.sentence ?? "", /at most 100 could be: 100 requests were sent in all/);
  }
});

test("compared as the same work, the study's saturation levels 750 and 1,000 contradict themselves without any count", async () => {
  const { report } = await auditJson(fixture("study-levels.csv"), "--same-work");
  const bySaturation = report.rows.filter((row) => row.isContradicted && row.requests === null);
  assert.deepEqual(labels(bySaturation), [
    "llama stress saturation 750",
    "llama stress saturation 1000",
    "llama validation scaling 100",
    ...[150, 200, 300, 500].map((users) => `llama validation saturation ${users}`),
    "qwen3-vl stress saturation 750",
    "qwen3-vl stress saturation 1000",
    "qwen3-vl validation scaling 100",
    ...[150, 200, 300, 500].map((users) => `qwen3-vl validation saturation ${users}`),
  ]);
  for (const row of report.rows.filter((one) => /stress saturation (500|750|1000)$/.test(one.label))) {
    const sum = /which makes (\S+), and 5 % are granted/.exec(row.findings[0]?.sentence ?? "");
    const inFlight = Number(sum?.[1]);
    assert.ok(Math.abs(inFlight / 450 - 1) < 0.02, `${row.label}: ${inFlight} is 450 within 2 %`);
  }
  for (const row of report.rows.filter((one) => one.label.includes("validation saturation"))) {
    const sum = /which makes (\S+), and 5 % are granted/.exec(row.findings[0]?.sentence ?? "");
    assert.ok(Math.abs(Number(sum?.[1]) / 75 - 1) < 0.02, `${row.label}: ${sum?.[1]} is 75 within 2 %`);
  }
});

test("with the inferred number of requests, at most 450 were in flight under the labels 500, 750 and 1,000", async () => {
  const { report } = await auditJson(fixture("study-levels.csv"), "--columns", "requests=inferred_requests");
  const stressed = report.rows.filter((row) => row.label.includes("stress saturation"));
  assert.deepEqual(
    stressed.map((row) => [row.claimed, row.atMost, row.isContradicted]),
    [1, 2].flatMap(() => [
      [150, 150, false],
      [200, 200, false],
      [300, 300, false],
      [500, 450, true],
      [750, 450, true],
      [1000, 450, true],
    ]),
  );
  assert.equal(report.contradicted, 38);
  const most = Math.max(...report.rows.map((row) => row.atMost ?? 0));
  assert.equal(most, 450, "at most 450 requests were ever in flight");
});

test("answers that ended early are no yardstick: the rows of DeepSeek are not compared", async () => {
  const { report } = await auditJson(fixture("study-levels.csv"), "--same-work");
  for (const row of report.rows.filter((one) => one.label.startsWith("deepseek"))) {
    assert.equal(row.meanAtMost, null);
  }
});

test("the study's check of its client never had 250 to 2,000 in flight, and at 100 it may have", async () => {
  const { code, report } = await auditJson(fixture("study-client-check.csv"));
  assert.equal(code, 110);
  assert.deepEqual(
    report.rows.map((row) => [row.claimed, row.status]),
    [[100, "not-steady"], ...[250, 500, 750, 1000, 1500, 2000].map((users) => [users, "at-most"])],
  );
  const bounds = report.rows.map((row) => row.meanAtMost ?? Number.POSITIVE_INFINITY);
  // requests/s x p50 of the published rows, which no bound may fall below.
  const typical = [40.9, 12.7, 10.3, 10.1, 10.3, 9.5, 10.3];
  for (const [at, bound] of bounds.entries()) assert.ok(bound > (typical[at] ?? 0));
  assert.ok(
    bounds.slice(2).every((bound) => bound < 25),
    String(bounds),
  );
});

test("the JSON of vllm bench serve is read, and an honest one is not contradicted", async () => {
  for (const [name, mean] of [
    ["vllm-bench.json", 60.2],
    ["vllm-bench-detailed.json", 7.48],
  ] as const) {
    const { code, report } = await auditJson(fixture(name));
    assert.equal(code, 0, name);
    assert.ok(Math.abs((report.rows[0]?.meanAtMost ?? 0) - mean) < 0.05);
  }
});

test("the times of each request say how many were in flight at most", async (t) => {
  const detailed: Record<string, unknown> = JSON.parse(
    readFileSync(fixture("vllm-bench-detailed.json"), "utf8"),
  );
  const file = written(t, JSON.stringify({ ...detailed, max_concurrency: 9 }));
  const { code, report } = await auditJson(file);
  assert.equal(code, 110);
  assert.match(
    report.rows[0]?.findings[0]?.sentence ?? "",
    /^9 claimed, at most 8 could be: the row's own count/,
  );
});

test("results of vllm bench serve, one a line, are rows of one table", async () => {
  const { code, report } = await auditJson(fixture("vllm-bench-few-prompts.jsonl"));
  assert.equal(code, 110);
  assert.deepEqual(
    report.rows.map((row) => [row.claimed, row.isContradicted]),
    [
      [16, false],
      [512, true],
    ],
  );
});

test("at a finite request rate the concurrency of vllm bench serve is a bound and no claim", async (t) => {
  const bench: Record<string, unknown> = JSON.parse(readFileSync(fixture("vllm-bench.json"), "utf8"));
  const { code, report } = await auditJson(
    written(t, JSON.stringify({ ...bench, max_concurrency: 5000, request_rate: 10 })),
  );
  assert.equal(code, 0);
  assert.equal(report.rows[0]?.status, "cannot-judge");
});

function ownReport(mean: number): string {
  const e2e = {
    count: 900,
    mean: 2e6,
    min: 1e6,
    p50: 2e6,
    p90: 2.4e6,
    p95: 2.5e6,
    p99: 2.6e6,
    max: 3e6,
    atLeast: [],
  };
  const stage = {
    name: "u100",
    windowMs: 30_000,
    inFlight: { asked: 100, mean, minAtLeast: 40, maxAtMost: 100 },
    requests: { offered: 1500, completed: 1480, failed: 0, censored: 20 },
    rates: { requestsPerS: 49.5, outputTokensPerS: 6300 },
    latencyUs: { e2e },
  };
  return JSON.stringify({ schemaVersion: 1, stages: [stage] });
}

test("our own report is judged like anybody's", async (t) => {
  assert.equal((await auditJson(written(t, ownReport(99.2)))).report.rows[0]?.status, "consistent");
  const never = await auditJson(written(t, ownReport(41)));
  assert.equal(never.code, 110);
  assert.match(never.report.rows[0]?.findings[0]?.sentence ?? "", /the row's own mean in flight is 41/);
});

const GOOD = "users,n,req/s,mean_latency_s\n50,1000,25.0,2.00\n";

test("a consistent table is exit code 0, and how its columns were read is printed", async (t) => {
  const { code, stdout } = await audit(written(t, GOOD));
  assert.equal(code, 0);
  assert.match(stdout, /^NOTHING CONTRADICTED in 1 row\./);
  assert.match(
    stdout,
    /columns +concurrency = "users", requests = "n", req_s = "req\/s", mean =\s+"mean_latency_s" \(s\)/,
  );
});

test("a row that is not steady is exit code 0, and 110 under --strict", async (t) => {
  const file = written(t, "users,req/s,mean_latency_s\n60,25.0,2.00\n");
  assert.equal((await audit(file)).code, 0);
  assert.equal((await audit(file, "--strict")).code, 110);
});

test("the same table is the same audit, however it is separated, quoted and ended", async (t) => {
  const want = (await auditJson(written(t, GOOD))).report.rows;
  for (const text of [
    `\uFEFF${GOOD}`,
    GOOD.replaceAll("\n", "\r\n"),
    GOOD.replaceAll(",", "\t"),
    GOOD.replaceAll(",", ";"),
    '"users","n","req/s","mean_latency_s"\n"50","1,000","25.0","2.00"\n',
  ]) {
    assert.deepEqual((await auditJson(written(t, text))).report.rows, want, JSON.stringify(text));
  }
  const comma = written(t, "users;n;req/s;mean_latency_s\n50;1.000;25,0;2,00\n");
  assert.deepEqual((await auditJson(comma, "--decimal", "comma")).report.rows, want);
});

const bad: readonly (readonly [string, string, RegExp])[] = [
  ["an empty file", "", /cannot be read: it is empty$/m],
  ["a file of white space", " \n\n", /it is empty$/m],
  ["a header alone", "users,req/s,mean_latency_s\n", /it has a header and no rows/],
  ["text in numbers", "users,req/s,mean_latency_s\n50,fast,2.00\n", /line 2, "req\/s": "fast" is no number/],
  ["NaN", "users,req/s,mean_latency_s\n50,NaN,2.00\n", /line 2, "req\/s": "NaN" is no number/],
  ["infinity", "users,req/s,mean_latency_s\n50,inf,2.00\n", /"inf" is no number/],
  ["a negative figure", "users,req/s,mean_latency_s\n50,-25,2.00\n", /"-25" is negative/],
  [
    "a latency of zero",
    "users,req/s,mean_latency_s\n50,25,0.00\n",
    /"0\.00" is zero, which was not measured/,
  ],
  ["half a user", "users,req/s,mean_latency_s\n1.5,25,2.00\n", /"1\.5" is no count/],
  ["a figure that no number holds", "users,req/s,mean_latency_s\n50,1e999,2.00\n", /"1e999" is no number/],
  ["a count beyond all counts", "users,req/s,mean_latency_s\n1e20,25,2.00\n", /"1e20" is no count/],
  ["two columns of one name", "users,req/s,req/s\n50,25,25\n", /two columns are called "req\/s"/],
  ["no column of a claim", "level,req/s,mean_latency_s\n50,25,2\n", /no column is the claimed concurrency/],
  ["nothing beside the claim", "users,GPU\n50,8\n", /no column is one that the audit can use/],
  ["a row that is too short", "users,req/s,mean_latency_s\n50,25\n", /line 2: 2 cells under 3 columns/],
  [
    "a latency without a unit",
    "users,req/s,mean_latency\n50,25,2\n",
    /"mean_latency": in us, ms, s, min\? say --columns mean=mean_latency/,
  ],
  [
    "a comma that may be either",
    "users;req/s;mean_latency_s\n50;1,234;2\n",
    /"1,234" may be a decimal or a thousand; say --decimal/,
  ],
  [
    "a success of no unit",
    "users,success\n50,1\n",
    /"1" is a share or per cent\? say --columns success=NAME:%/,
  ],
  ["a quotation that never ends", 'users,req/s\n50,"25\n', /line 2: a quoted cell that never ends/],
  ["JSON that is broken", '{"duration": NaN}', /it is no JSON/],
  ["JSON of another kind", '{"a": 1}', /neither of vllm bench serve .* nor a tokenstorm report/],
  ["an array of nothing", "[]", /neither of vllm bench serve/],
  [
    "vllm JSON with text in numbers",
    '{"duration": "x", "completed": 1, "request_throughput": 2}',
    /duration: Invalid input/,
  ],
  ["a report of another version", '{"schemaVersion": 2, "stages": []}', /schemaVersion: Invalid input/],
];
for (const [name, text, says] of bad) {
  test(`${name} is one clear error with exit code 1`, async (t) => {
    const { code, stdout, stderr } = await audit(written(t, text));
    assert.equal(code, 1, stdout);
    assert.equal(stdout, "");
    assert.match(stderr, /^error: the results \S+ cannot be read:/);
    assert.match(stderr, says);
    assert.match(stderr, /^hint: /m);
    assert.doesNotMatch(stderr, /bug/);
  });
}

test("every problem of a table is told at once", async (t) => {
  const { stderr } = await audit(written(t, "users,req/s,mean_latency_s\n50,x,2\n-1,25,0\n"));
  assert.equal(stderr.split("\n").filter((line) => /^ {2}line \d/.test(line)).length, 3, stderr);
});

test("a file that is not there, a folder, and bytes that are no text are exit code 1", async (t) => {
  const missing = await audit("/nowhere/results.csv");
  assert.equal(missing.code, 1);
  assert.match(missing.stderr, /there is no such file/);
  assert.match((await audit(tmpdir())).stderr, /it is a directory/);
  assert.match(
    (await audit(written(t, Buffer.from([0xff, 0xfe, 0x00, 0x31])))).stderr,
    /it is not UTF-8 text/,
  );
});

test("wrong use is exit code 2", async () => {
  for (const [argv, says] of [
    [[], /missing required argument 'file'/],
    [["f.csv", "--columns", "speed=x"], /write field=column/],
    [["f.csv", "--decimal", "dot"], /none of point, comma/],
    [["f.csv", "--loud"], /unknown option/],
  ] as const) {
    const { code, stderr } = await audit(...argv);
    assert.equal(code, 2);
    assert.match(stderr, says);
  }
});

const plain = { columns: [], ignore: [], decimal: undefined };

test("a file is read no further than its bound, also from stdin", async (t) => {
  const isBounded = (error: unknown) =>
    error instanceof LoadError &&
    error.code === "RESULTS_UNREADABLE" &&
    /more than 1000 bytes/.test(error.message);
  let taken = 0;
  const endless = Readable.from(
    (function* () {
      for (;;) {
        taken += 100;
        yield Buffer.alloc(100, "1,");
      }
    })(),
  );
  await assert.rejects(readResults("-", plain, { stdin: endless, mostBytes: 1000 }), isBounded);
  assert.ok(taken < 10_000, `${taken} bytes were taken`);
  await assert.rejects(readResults(written(t, "1,".repeat(600)), plain, { mostBytes: 1000 }), isBounded);
});

test("- is stdin", async () => {
  const results = await readResults("-", plain, { stdin: Readable.from([Buffer.from(GOOD)]) });
  assert.equal(results.rows.length, 1);
  assert.equal(results.rows[0]?.concurrency, 50);
});
