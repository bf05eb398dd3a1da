import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { CONFORMANCE_CHECKS, type ConformanceReport } from "@tokenstorm/core";
import { renderConformance } from "@tokenstorm/report";
import { assertClearFailure, type Finished, runCli, scratch, startSimulator } from "../integration/cli.js";
import { startFaultyProxy, type WireFault } from "./faulty-proxy.js";

/** Quick enough to wait for, and with characters of several bytes. */
const SIMULATOR = ["--time-scale", "25", "--multi-byte"];

async function check(
  t: TestContext,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<{ readonly report: ConformanceReport; readonly result: Finished }> {
  const result = await runCli(t, ["doctor", "--json", "--conformance", ...args], { env });
  assert.equal(result.stderr, "");
  const report: ConformanceReport = JSON.parse(result.stdout);
  return { report, result };
}

const of = (report: ConformanceReport, outcome: string): string[] =>
  report.checks.filter((one) => one.outcome === outcome).map(({ id }) => id);

const failures = (report: ConformanceReport): string =>
  report.checks
    .filter(({ outcome }) => outcome === "failed")
    .map(({ id, seen }) => `${id}: ${seen}`)
    .join("\n");

test("the simulator keeps the whole contract", async (t) => {
  const { url } = await startSimulator(t, SIMULATOR);
  const { report, result } = await check(t, [url]);
  assert.equal(failures(report), "");
  assert.deepEqual(of(report, "skipped"), ["errors.no-key"]);
  assert.equal(report.checks.length, CONFORMANCE_CHECKS.length);
  assert.equal(result.code, 0);
  assert.match(renderConformance(report, { width: 80, colour: false }), /^CONFORMS: 54 checks passed\./);
  const strict = await runCli(t, ["doctor", "--conformance", url, "--strict"]);
  assert.equal(strict.code, 98, strict.stdout);
  const other = await runCli(t, ["doctor", "--conformance", url, "--model", "no-such"]);
  assertClearFailure(other, {
    code: 1,
    says: /names no model to ask for called no-such: it serves meta-llama/,
  });
});

test("every profile and every version that is emulated keeps it, and the proxy alone spoils nothing", async (t) => {
  const servers = [
    ["--profile", "deepseek-v3.2", "--emulate", "0.11"],
    ["--profile", "qwen3-vl-235b", "--emulate", "latest"],
    ["--profile", "kimi-k2.5", "--emulate", "0.14"],
  ];
  for (const flags of servers) {
    const { url } = await startSimulator(t, [...SIMULATOR, ...flags]);
    const proxy = await startFaultyProxy(url, {});
    t.after(() => proxy.close());
    const { report } = await check(t, [proxy.url]);
    assert.equal(failures(report), "", flags.join(" "));
  }
});

test("with a key the simulator keeps all of it, and the key stands in no evidence", async (t) => {
  const folder = scratch(t);
  const key = "storm-key-0123456789";
  const { url } = await startSimulator(t, [...SIMULATOR, "--api-key-env", "KEY"], { KEY: key });
  const proxy = await startFaultyProxy(url, { event: dropDone });
  t.after(() => proxy.close());
  const { report } = await check(t, [proxy.url, "--api-key-env", "KEY", "--evidence", folder], { KEY: key });
  assert.equal(report.checks.find(({ id }) => id === "errors.no-key")?.outcome, "passed");
  const failed = report.checks.find(({ id }) => id === "chat-stream.done");
  assert.equal(failed?.evidence, join(folder, "chat-stream.done.answer"));
  const answer = readFileSync(join(folder, "chat-stream.done.answer"), "utf8");
  assert.match(answer, /^HTTP\/1\.1 200 OK\r\n[\s\S]*"finish_reason":"length"/);
  const asked = readFileSync(join(folder, "chat-stream.done.request"), "utf8");
  assert.match(asked, /^POST \/v1\/chat\/completions HTTP\/1\.1\r\n[\s\S]*authorization: \*\*\*\r\n/);
  assert.ok(!asked.includes(key) && !answer.includes(key));
  assert.ok(!existsSync(join(folder, "chat-stream.head.answer")), "nothing is kept of what is right");
});

test("what needs /metrics is skipped, and says so, where a server has none", async (t) => {
  const { url } = await startSimulator(t, SIMULATOR);
  const proxy = await startFaultyProxy(url, {
    head: (head, { path }) => (path === "/metrics" ? { ...head, status: 404 } : head),
  });
  t.after(() => proxy.close());
  const { report, result } = await check(t, [proxy.url]);
  assert.equal(failures(report), "");
  assert.equal(result.code, 0);
  const skipped = [
    "metrics.page",
    "metrics.names",
    "connections.abort",
    "errors.no-key",
    "metrics.exact",
    "metrics.monotone",
  ];
  assert.deepEqual(of(report, "skipped"), skipped);
  assert.equal(
    report.checks.find(({ id }) => id === "metrics.page")?.seen,
    "the server has no /metrics (status 404)",
  );
});

test("a server that is gone is one clear error", async (t) => {
  const result = await runCli(t, ["doctor", "--conformance", "http://127.0.0.1:1"]);
  assertClearFailure(result, {
    code: 1,
    says: /^error: http:\/\/127\.0\.0\.1:1 cannot be checked: connection refused/,
  });
});

const isDone = (event: string): boolean => event === "data: [DONE]\n\n";
const isUsage = (event: string): boolean => event.includes('"choices":[],"usage"');
const isFinish = (event: string): boolean => /"finish_reason":"/.test(event);
const dropDone = (event: string): string => (isDone(event) ? "" : event);
const both = (name: string): string[] => [`chat-stream.${name}`, `completions-stream.${name}`];
const oneTokenLess = (text: string): string =>
  text.replace(
    /"total_tokens":(\d+),"completion_tokens":(\d+)/,
    (_, total: string, count: string) =>
      `"total_tokens":${Number(total) - 1},"completion_tokens":${Number(count) - 1}`,
  );

function splitCharacter(event: string): string {
  // Two of the bytes of one character, in latin1.
  const found = /^(.*"(?:content|text)":"[^"]*[\u00c0-\u00ff])([\u0080-\u00bf][^"]*)(".*\n\n)$/s.exec(event);
  if (found === null) return event;
  const [, left = "", right = "", end = ""] = found;
  const start = /^.*"(?:content|text)":"/s.exec(event)?.[0] ?? "";
  return `${left}${end}${start}${right}${end}`;
}

/** What is done to the wire, the checks that must fail of it and no others, and what the first of them says. */
const FAULTS: readonly (readonly [string, WireFault, readonly string[], RegExp])[] = [
  [
    "usage is missing",
    { event: (event) => (isUsage(event) ? "" : event) },
    [...both("usage"), ...both("usage-sum"), ...both("length")],
    /no event has usage, though stream_options\.include_usage asked for it/,
  ],
  ["[DONE] is missing", { event: dropDone }, both("done"), /the stream ends without \[DONE\]/],
  [
    "[DONE] comes twice",
    { event: (event) => (isDone(event) ? event + event : event) },
    both("done"),
    /\[DONE\] comes 2 times/,
  ],
  [
    "something follows [DONE]",
    { event: (event, { before: [first = ""] }) => (isDone(event) ? event + first : event) },
    both("done"),
    /1 events follow \[DONE\]/,
  ],
  [
    "two finish reasons",
    {
      event: (event) =>
        isFinish(event) ? event + event.replace(/"(content|text)":"[^"]*"/, '"$1":""') : event,
    },
    [...both("finish"), "tokens.returned-ids"],
    /2 finish_reasons: length, length/,
  ],
  [
    "no finish reason",
    { event: (event) => event.replace('"finish_reason":"length"', '"finish_reason":null') },
    [...both("finish"), ...both("length")],
    /no event has a finish_reason/,
  ],
  [
    "no role event",
    { event: (event) => (event.includes('"role":"assistant"') ? "" : event) },
    ["chat-stream.role"],
    /no event has a role/,
  ],
  [
    "the wrong content type",
    {
      head: (head) => ({
        ...head,
        headers: {
          ...head.headers,
          ...(head.headers["content-type"]?.startsWith("text/event") === true
            ? { "content-type": "text/plain" }
            : {}),
        },
      }),
    },
    [
      ...both("head"),
      "tokens.no-usage-unasked",
      "tokens.continuous-usage",
      "tokens.min-tokens",
      "tokens.stop",
      "tokens.returned-ids",
      "tokens.utf8",
    ],
    /status 200, content type text\/plain/,
  ],
  [
    "chat completions that fail, as without a template",
    {
      head: (head, { path }) =>
        path === "/v1/chat/completions" && head.status === 200 ? { ...head, status: 500 } : head,
    },
    ["chat-stream.head", "chat-answer.head"],
    /status 500, content type text\/event-stream/,
  ],
  [
    "a wrong total",
    {
      event: (event) =>
        event.replace(/"total_tokens":(\d+)/, (_, total: string) => `"total_tokens":${Number(total) + 1}`),
    },
    both("usage-sum"),
    /\d+ \+ 16 is \d+, and total_tokens is \d+/,
  ],
  [
    "no empty line after events",
    { event: (event) => (isDone(event) ? event : event.slice(0, -1)) },
    both("framing"),
    /the event at line 2 begins before an empty line has ended the one before it/,
  ],
  [
    "output after the finish reason",
    { event: (event, { before }) => (isFinish(event) ? event + (before[1] ?? "") : event) },
    [...both("finish"), "tokens.continuous-usage", "tokens.returned-ids"],
    /event \d+ has output after the finish_reason of event \d+/,
  ],
  [
    "one token less than asked for",
    { event: (event) => (isUsage(event) ? oneTokenLess(event) : event) },
    [...both("length"), "tokens.continuous-usage", "tokens.returned-ids", "metrics.exact"],
    /completion_tokens is 15, and max_tokens was 16 with ignore_eos/,
  ],
  [
    "counters that count one token more for each request",
    {
      body: (text, { path, nth }) =>
        path !== "/metrics"
          ? text
          : text.replace(
              /(vllm:generation_tokens_total\{[^}]*\}) (\S+)/,
              (_, series: string, value: string) => `${series} ${Number(value) + nth}`,
            ),
    },
    ["metrics.exact"],
    /generation_tokens_total grew by 68, and the answers have 64/,
  ],
  [
    "a counter that falls",
    {
      body: (text, { path, nth }) =>
        path === "/metrics" && nth > 0
          ? text.replace(/(vllm:num_preemptions_total\{[^}]*\}) \S+/, "$1 -1.0")
          : text,
    },
    ["metrics.monotone"],
    /vllm:num_preemptions_total\{.*\} was 0 and is -1/,
  ],
  [
    "the request id is not taken",
    {
      requestHeaders: (headers) => {
        delete headers["x-request-id"];
      },
    },
    [...both("request-id"), "chat-answer.request-id", "completions-answer.request-id"],
    /the id is chatcmpl-sim-\S+, and X-Request-Id was ts-conformance-/,
  ],
  [
    "status 200 with an error body",
    {
      body: (text, { path, body }) =>
        path.includes("completions") && !body.includes("nobody-serves") && text.includes('"usage"')
          ? '{"error":{"message":"EngineCore encountered an issue.","type":"InternalServerError","param":null,"code":500}}'
          : text,
    },
    ["chat-answer.json", "completions-answer.json"],
    /status 200 with an error body: \{"error"/,
  ],
  [
    "an error event in mid-stream",
    {
      event: (event, { index }) =>
        index === 3
          ? 'data: {"error":{"message":"EngineCore failed","type":"InternalServerError","code":500}}\n\n'
          : event,
    },
    [
      ...both("json"),
      "tokens.no-usage-unasked",
      "tokens.continuous-usage",
      "tokens.min-tokens",
      "tokens.stop",
      "tokens.returned-ids",
      "tokens.utf8",
    ],
    /event 4 is an error: \{"error"/,
  ],
  [
    "errors with status 200",
    { head: (head) => ({ ...head, status: head.status >= 400 ? 200 : head.status }) },
    [
      "errors.bad-json",
      "errors.bad-field",
      "errors.unknown-model",
      "errors.output-too-long",
      "errors.prompt-too-long",
    ],
    /status 200, and not 400/,
  ],
  [
    "a body that breaks off",
    { breaksEnd: true },
    [
      ...both("end"),
      "tokens.no-usage-unasked",
      "tokens.continuous-usage",
      "tokens.min-tokens",
      "tokens.stop",
      "tokens.returned-ids",
      "tokens.utf8",
      "connections.keep-alive",
      "connections.parallel",
    ],
    /closed|reset/,
  ],
  [
    "connections that are closed",
    { head: (head) => ({ ...head, headers: { ...head.headers, connection: "close" } }) },
    ["connections.keep-alive"],
    /after the stream of chat: the server closes it \(connection: close\)/,
  ],
  [
    "headers that wait for the first token",
    { holdsHead: true },
    ["connections.headers-first"],
    /in 3 of 3 streams the headers came in one read with the first event/,
  ],
  [
    "streams that are served in turn",
    { isSerial: true },
    ["connections.parallel"],
    /7 of 8 streams had no event before another was over/,
  ],
  [
    "a client's hanging up is not heeded",
    { keepsAborted: true },
    ["connections.abort"],
    /counts as 1 success|num_requests_running is 1/,
  ],
  [
    "usage that is not continuous",
    {
      event: (event, { index, passing }) =>
        passing.body.includes("continuous_usage_stats") && index === 4
          ? event.replace(/,"usage":\{[^}]*\}/, "")
          : event,
    },
    ["tokens.continuous-usage"],
    /event 5 of \d+ has no usage/,
  ],
  [
    "a character split over two events",
    // In the answer that is looked at for it: whether others have such characters is chance.
    {
      event: (event, { passing }) =>
        passing.body.includes('"max_tokens":96') ? splitCharacter(event) : event,
    },
    ["tokens.utf8"],
    /the stream is no UTF-8/,
  ],
];

/** Side by side, each lane on a simulator of its own: the counters must be of one alone. A check waits four fifths of its time. */
const LANES = 3;

test("every wire fault is found, named by the check that it breaks, and by no other", {
  concurrency: LANES,
}, async (t) => {
  const lane = async (faults: typeof FAULTS) => {
    const { url } = await startSimulator(t, SIMULATOR);
    for (const [name, fault, failing, says] of faults) {
      await t.test(name, async (part) => {
        const proxy = await startFaultyProxy(url, fault);
        part.after(() => proxy.close());
        const { report, result } = await check(part, [proxy.url]);
        assert.deepEqual(of(report, "failed").sort(), [...failing].sort(), failures(report));
        assert.equal(result.code, 99);
        const [first] = failing;
        assert.match(report.checks.find(({ id }) => id === first)?.seen ?? "", says);
        const screen = renderConformance(report, { width: 200, colour: false });
        assert.match(screen, /^DOES NOT CONFORM: \d+ of \d+ checks failed: /);
        assert.ok(screen.includes(`failed   ${first}: `), screen);
      });
    }
  };
  const lanes = Array.from({ length: LANES }, (_, at) => FAULTS.filter((_fault, i) => i % LANES === at));
  await Promise.all(lanes.map(lane));
});
