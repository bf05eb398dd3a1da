import assert from "node:assert/strict";
import { test } from "node:test";
import { judgeAnswer, judgeError } from "./judge-answer.js";
import {
  type ContractFinding,
  judgeContinuous,
  judgeReturnedIds,
  judgeStream,
  judgeUtf8,
  type StreamRecord,
} from "./judge-stream.js";
import { streamEvents } from "./stream-events.js";

const chunk = (choices: unknown[], more: object = {}) => ({
  id: "chatcmpl-r1",
  object: "chat.completion.chunk",
  created: 1,
  model: "m",
  choices,
  ...more,
});
const delta = (content: object, finish: string | null = null) =>
  chunk([{ index: 0, delta: content, finish_reason: finish }]);
const counts = (prompt: number, completion: number, total = prompt + completion) => ({
  prompt_tokens: prompt,
  completion_tokens: completion,
  total_tokens: total,
});
const usage = (prompt: number, completion: number, total?: number) =>
  chunk([], { usage: counts(prompt, completion, total) });

const GOOD = [
  delta({ role: "assistant", content: "" }),
  delta({ content: "Red" }),
  delta({ content: " sky" }, "length"),
  usage(9, 2),
];

const text = (events: readonly unknown[], end = "data: [DONE]\n\n"): string =>
  events.map((event) => `data: ${JSON.stringify(event)}\n\n`).join("") + end;

const record = (change: Partial<StreamRecord> = {}): StreamRecord => ({
  api: "chat",
  status: 200,
  contentType: "text/event-stream; charset=utf-8",
  text: text(GOOD),
  isUtf8: true,
  problem: null,
  requestId: "r1",
  includesUsage: true,
  exactTokens: 2,
  ...change,
});

const faults = (findings: readonly ContractFinding[]): string[] =>
  findings.flatMap(({ check, fault }) => (fault === null ? [] : [`${check}: ${fault}`]));

test("a stream as vLLM sends it keeps every part of the contract", () => {
  const judged = judgeStream(record());
  assert.deepEqual(faults(judged.findings), []);
  assert.equal(judged.output, "Red sky");
  assert.equal(judged.finishReason, "length");
  assert.equal(judged.findings.length, 11);
});

test("each fault of a stream is told once, in words that name it", () => {
  const [role, first, last, end] = GOOD;
  const cases: readonly (readonly [Partial<StreamRecord>, readonly string[]])[] = [
    [
      { status: 500, text: "oops" },
      ["head: status 500, content type text/event-stream; charset=utf-8: oops"],
    ],
    [
      { text: text([role, first, last]) },
      [
        "usage: no event has usage, though stream_options.include_usage asked for it",
        "usage-sum: there is no usage to add up",
        "length: there is no usage to tell how many tokens were generated",
      ],
    ],
    [
      { text: text([role, first, end, last]) },
      ["usage: usage comes with event 3, before the finish_reason of event 4"],
    ],
    [{ text: text([role, first, last, end, end]) }, ["usage: 2 events have usage and no choices"]],
    [{ text: text([first, role, last, end]) }, ["role: the role comes with event 2, not with the first"]],
    [{ text: text([role, role, first, last, end]) }, ["role: the role comes again with event 2"]],
    [
      { text: text([delta({ role: "assistant", content: "Red" }), first, last, end]) },
      ["role: the role event has output: Red"],
    ],
    [
      { text: text([role, first, last, usage(9, 2, 12)]) },
      ["usage-sum: 9 + 2 is 11, and total_tokens is 12"],
    ],
    [
      { text: text([role, first, last, usage(9, 3)]) },
      ["length: completion_tokens is 3, and max_tokens was 2 with ignore_eos"],
    ],
    [
      { text: text([role, first, delta({ content: "" }, "stop"), end]) },
      ["length: the finish_reason is stop, and not length"],
    ],
    [{ text: text(GOOD, "") }, ["done: the stream ends without [DONE]"]],
    [{ text: `${text(GOOD)}data: [DONE]\n\n` }, ["done: [DONE] comes 2 times"]],
    [{ text: text([...GOOD], "data: [DONE]\n") }, ["framing: the last event is not ended by an empty line"]],
    [
      { text: text([role, first, last, { ...end, id: "chatcmpl-other" }]) },
      ["json: id changes within the stream, from chatcmpl-r1 to chatcmpl-other"],
    ],
    [{ requestId: "r2" }, ["request-id: the id is chatcmpl-r1, and X-Request-Id was r2"]],
    [{ problem: "closed by the server within the answer" }, ["end: closed by the server within the answer"]],
    [
      { text: text([role, { nothing: 1 }, last, end]) },
      ['json: event 2: id: Invalid input: expected string, received undefined, in {"nothing":1}'],
    ],
  ];
  for (const [change, expected] of cases)
    assert.deepEqual(faults(judgeStream(record(change)).findings), expected);
});

test("no cut of a stream makes the judge fail, whatever is cut off", () => {
  const whole = text(GOOD);
  for (let length = 0; length < whole.length; length += 1) {
    const judged = judgeStream(record({ text: whole.slice(0, length) }));
    assert.notDeepEqual(faults(judged.findings), [], `${length} characters pass for the whole`);
  }
});

test("what server-sent events allow beyond vLLM's way is a remark and no fault", () => {
  const odd = `: ping\r\nevent: x\r\ndata:{"a":1}\r\n\r\n\r\ndata: [DONE]\r\n\r\n`;
  const { events, fault, remark } = streamEvents(odd);
  assert.deepEqual(
    events.map(({ data }) => data),
    ['{"a":1}', "[DONE]"],
  );
  assert.equal(fault, null);
  assert.match(remark ?? "", /CR LF/);
  assert.match(streamEvents("dat: x\n\n").fault ?? "", /line 1 is no field of an event: "dat: x"/);
});

test("half a character in an event is found, whole ones of any size are counted", () => {
  const judged = judgeStream(
    record({
      text: text([
        GOOD[0],
        delta({ content: "\ud83c" }),
        delta({ content: "\udf0a" }, "length"),
        usage(9, 2),
      ]),
    }),
  );
  assert.match(judgeUtf8({ isUtf8: true }, judged.chunks).fault ?? "", /event 2 has half a character/);
  const whole = judgeStream(
    record({ text: text([GOOD[0], delta({ content: "\u{1f30a}\u00e9" }, "length"), usage(9, 2)]) }),
  );
  assert.deepEqual(judgeUtf8({ isUtf8: true }, whole.chunks), {
    check: "utf8",
    fault: null,
    seen: "2 characters of several bytes, none split",
  });
  assert.match(judgeUtf8({ isUtf8: false }, []).fault ?? "", /no UTF-8/);
});

test("usage on every event must not fall, miss, or end short of the last", () => {
  const running = (told: readonly (number | null)[]) =>
    judgeStream(
      record({
        text: text([
          ...told.map((count) => ({
            ...delta({ content: "x" }),
            ...(count === null ? {} : { usage: counts(9, count) }),
          })),
          usage(9, 2),
        ]),
      }),
    ).chunks;
  assert.equal(judgeContinuous(running([0, 1, 2])).fault, null);
  assert.match(judgeContinuous(running([0, null, 2])).fault ?? "", /event 2 of 4 has no usage/);
  assert.match(judgeContinuous(running([0, 2, 1])).fault ?? "", /fall from 2 to 1 at event 3/);
  assert.match(judgeContinuous(running([0, 1])).fault ?? "", /end at 1, and the last usage says 2/);
});

test("returned ids are as many as tokens, and none are no fault", () => {
  const ids = (...all: number[][]) =>
    judgeStream(record({ text: text(all.map((token_ids) => chunk([{ index: 0, text: "x", token_ids }]))) }))
      .chunks;
  const counted = counts(9, 3);
  assert.equal(judgeReturnedIds(ids([1, 2], [3]), counted)?.fault, null);
  assert.match(
    judgeReturnedIds(ids([1, 2]), counted)?.fault ?? "",
    /2 token ids, and completion_tokens is 3/,
  );
  assert.equal(judgeReturnedIds(ids([]), counted), undefined);
});

test("answers in one piece are held to form, sum, length and id", () => {
  const answer = {
    id: "cmpl-r1",
    object: "text_completion",
    choices: [{ text: "x", finish_reason: "length" }],
    usage: counts(3, 1),
  };
  const judge = (value: unknown, change: object = {}) =>
    faults(
      judgeAnswer({
        api: "completions",
        status: 200,
        contentType: "application/json",
        text: JSON.stringify(value),
        problem: null,
        requestId: "r1",
        exactTokens: 1,
        ...change,
      }).findings,
    );
  assert.deepEqual(judge(answer), []);
  assert.match(judge({ error: { message: "x" } })[0] ?? "", /^json: status 200 with an error body/);
  assert.deepEqual(judge({ ...answer, choices: [] }), [
    "json: 0 choices, and one was asked for",
    "length: the finish_reason is none, and not length",
  ]);
  assert.match(
    judge(answer, { contentType: "text/html" })[0] ?? "",
    /^head: status 200, content type text\/html/,
  );
});

test("refusals are held to status, form, code, type and message", () => {
  const body = {
    error: { message: "The model `x` does not exist.", type: "NotFoundError", param: null, code: 404 },
  };
  const judge = (status: number, value: unknown, contentType = "application/json") =>
    judgeError(
      { status, contentType, text: JSON.stringify(value), problem: null },
      { check: "unknown-model", status: 404, type: "NotFoundError", says: ["does not exist"] },
    ).fault;
  assert.equal(judge(404, body), null);
  assert.match(judge(400, body) ?? "", /status 400, and not 404/);
  assert.match(judge(404, body, "text/plain") ?? "", /content type text\/plain/);
  assert.match(judge(404, { detail: "Not Found" }) ?? "", /the error body is not of its form/);
  assert.match(judge(404, { error: { ...body.error, code: 400 } }) ?? "", /error\.code 400/);
  assert.match(judge(404, { error: { ...body.error, type: "Bad" } }) ?? "", /error\.type is Bad/);
  assert.match(
    judge(404, { error: { ...body.error, message: "no" } }) ?? "",
    /names nothing of does not exist/,
  );
});
