import assert from "node:assert/strict";
import { test } from "node:test";
import { mapColumns, parseColumnChoices } from "./column-mapping.js";
import { recogniseColumn } from "./fields.js";

const known: readonly (readonly [string, string, string?])[] = [
  ["Concurrency", "concurrency"],
  ["max_concurrency", "concurrency"],
  ["Concurrent users", "concurrency"],
  ["max_concurrent_requests", "peak"],
  ["num_prompts", "requests"],
  ["Successful requests", "completed"],
  ["failed", "failed"],
  ["success (%)", "success", "%"],
  ["success_rate_pct", "success", "%"],
  ["req/s", "req_s"],
  ["Request throughput (req/s)", "req_s"],
  ["requestsPerS", "req_s"],
  ["RPS", "req_s"],
  ["Output token throughput (tok/s)", "output_tok_s"],
  ["output_tok_s", "output_tok_s"],
  ["outputTokensPerS", "output_tok_s"],
  ["Total tokens/sec", "total_tok_s"],
  ["total_token_throughput", "total_tok_s"],
  ["duration_s", "duration", "s"],
  ["Benchmark duration (s)", "duration", "s"],
  ["Mean E2E (ms)", "mean", "ms"],
  ["mean_e2el_ms", "mean", "ms"],
  ["avg latency (s)", "mean", "s"],
  ["latency_p99_us", "p99", "us"],
  ["p99.9_latency_ms", "p99.9", "ms"],
  ["Median latency [ms]", "p50", "ms"],
  ["max_request_latency_s", "max", "s"],
];
for (const [header, field, unit] of known) {
  test(`"${header}" is ${field}${unit === undefined ? "" : ` in ${unit}`}`, () => {
    const read = recogniseColumn(header);
    assert.equal(read.kind, "field", JSON.stringify(read));
    if (read.kind !== "field") return;
    assert.equal(read.field, field);
    assert.equal(read.unit, unit);
  });
}

test("a name that could mean two things, or has no unit, is ambiguous", () => {
  for (const header of [
    "throughput",
    "tok/s",
    "tokens_per_second",
    "TPS",
    "latency",
    "latency_ms",
    "e2e (s)",
    "p99_ms",
    "p99",
    "mean_latency",
    "p99_e2e",
    "duration",
  ]) {
    assert.equal(recogniseColumn(header).kind, "ambiguous", header);
  }
});

test("a latency to the first token, or between tokens, is no end-to-end latency", () => {
  for (const header of ["mean_ttft_ms", "p99 ITL (ms)", "median_tpot_ms", "std_e2el_ms", "GPU", "notes"]) {
    assert.equal(recogniseColumn(header).kind, "unknown", header);
  }
});

test("what a person says about a column comes before its name", () => {
  const mapping = mapColumns(
    ["users", "n", "throughput", "latency_ms", "slow: 1%", "notes"],
    parseColumnChoices("req_s=Throughput,latency=latency_ms,p99=slow: 1%:s,requests=n"),
  );
  assert.deepEqual(mapping.problems, []);
  assert.deepEqual(
    mapping.columns.map(({ field, header, unit }) => [field, header, unit]),
    [
      ["req_s", "throughput", undefined],
      ["mean", "latency_ms", "ms"],
      ["p99", "slow: 1%", "s"],
      ["requests", "n", undefined],
      ["concurrency", "users", undefined],
    ],
  );
  assert.deepEqual(mapping.unused, ["notes"]);
});

const unsettled: readonly (readonly [string, readonly string[], string, RegExp])[] = [
  ["two columns for one field", ["users", "concurrency", "req/s"], "", /both look like concurrency/],
  ["two columns of one name", ["users", "req/s", "REQ/S"], "", /two columns are called "REQ\/S"/],
  [
    "a column that is not there",
    ["users", "req/s"],
    "p99=slow:s",
    /there is no such column; there are users, req\/s/,
  ],
  ["a column without a unit", ["users", "slow"], "p99=slow", /in us, ms, s, min\? say p99=slow:ms/],
  ["a field that is named twice", ["users", "a", "b"], "req_s=a,req_s=b", /names req_s twice/],
  ["a throughput of nobody knows what", ["users", "throughput"], "", /requests, output tokens or all tokens/],
];
for (const [name, headers, choices, says] of unsettled) {
  test(`${name} must be settled by whoever knows the table`, () => {
    const mapping = mapColumns(headers, choices === "" ? [] : parseColumnChoices(choices));
    assert.match(mapping.problems.join("\n"), says);
  });
}

test("a column that is ignored needs no answer", () => {
  const mapping = mapColumns(["users", "req/s", "latency"], [], ["Latency"]);
  assert.deepEqual(mapping.problems, []);
  assert.deepEqual(mapping.unused, ["latency"]);
});

test("a column's name may hold commas, colons and equals signs", () => {
  assert.deepEqual(parseColumnChoices("p99=slow, worst: 1% (a=b):ms, requests=n"), [
    { field: "p99", header: "slow, worst: 1% (a=b)", unit: "ms" },
    { field: "requests", header: "n", unit: undefined },
  ]);
});

test("a choice that is none is refused with the list of fields", () => {
  assert.throws(
    () => parseColumnChoices("speed=x"),
    /the fields are latency \(the mean\), p1 to p99\.99, label/,
  );
  assert.throws(() => parseColumnChoices("p100=x"), /write field=column/);
  assert.throws(() => parseColumnChoices("mean="), /names no column/);
});
