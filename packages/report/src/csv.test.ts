import assert from "node:assert/strict";
import { test } from "node:test";
import { csvRow } from "./csv.js";
import { CSV_COLUMNS, renderCsv } from "./csv-report.js";
import { badReport, goodReport, openReport } from "./screen-samples.js";

/** A reader of RFC 4180, written apart from the writer. */
function parse(text: string): string[][] {
  const records: string[][] = [];
  let record: string[] = [];
  let field = "";
  let isQuoted = false;
  for (let i = 0; i < text.length; i += 1) {
    const char = text[i] ?? "";
    if (isQuoted) {
      if (char !== '"') field += char;
      else if (text[i + 1] === '"') {
        field += '"';
        i += 1;
      } else isQuoted = false;
    } else if (char === '"') isQuoted = true;
    else if (char === ",") {
      record.push(field);
      field = "";
    } else if (char === "\r" && text[i + 1] === "\n") {
      records.push([...record, field]);
      record = [];
      field = "";
      i += 1;
    } else field += char;
  }
  assert.ok(!isQuoted && field === "" && record.length === 0, "the last record has its line end");
  return records;
}

test("commas, quotes and line ends come back as they were, and a formula is none any more", () => {
  const cells = ['say "hi", he said', "two\r\nlines", "=1+1", "@x", "-5", "plain", -5, 0.1, true, null];
  const [back] = parse(`${csvRow(cells)}\r\n`);
  assert.deepEqual(back, [
    'say "hi", he said',
    "two\r\nlines",
    "'=1+1",
    "'@x",
    "'-5",
    "plain",
    "-5",
    "0.1",
    "true",
    "",
  ]);
});

test("every level is a record of as many fields as there are columns, with the report's figures", () => {
  for (const report of [goodReport, badReport, openReport]) {
    const [header = [], ...records] = parse(renderCsv(report));
    assert.deepEqual(header, CSV_COLUMNS);
    assert.equal(new Set(header).size, header.length);
    assert.equal(records.length, report.stages.length);
    for (const [i, record] of records.entries()) {
      assert.equal(record.length, header.length);
      const stage = report.stages[i];
      const of = (name: string) => record[header.indexOf(name)];
      assert.equal(of("level"), stage?.name);
      assert.equal(Number(of("in_flight_mean")), stage?.inFlight.mean);
      const p99 = stage?.latencyUs.e2e.p99;
      assert.equal(of("e2e_p99_ms"), p99 === null || p99 === undefined ? "" : String(p99 / 1000));
      assert.equal(of("e2e_at_least"), stage?.latencyUs.e2e.atLeast.join(" "));
      for (const field of record) assert.doesNotMatch(field, /NaN|Infinity|undefined/);
    }
  }
});

test("names of columns say their unit and do not change", () => {
  assert.deepEqual(CSV_COLUMNS.slice(0, 12), [
    "run",
    "run_name",
    "model",
    "verdict",
    "level",
    "users",
    "asked_req_s",
    "steady",
    "too_short",
    "window_start_s",
    "window_s",
    "in_flight_asked",
  ]);
  for (const name of [
    "req_s",
    "output_tok_s",
    "ttft_p99_ms",
    "success_lower95_share",
    "schedule_lag_max_ms",
  ]) {
    assert.ok(CSV_COLUMNS.includes(name), name);
  }
});
