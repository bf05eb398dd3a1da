import assert from "node:assert/strict";
import { test } from "node:test";
import { PLAN_DEFAULTS } from "../plan/defaults.js";
import { type DataSetSource, parseDataSet } from "./data-set.js";

const source = (change: Partial<DataSetSource> = {}): DataSetSource => ({
  file: "p.jsonl",
  format: "auto",
  fields: PLAN_DEFAULTS.dataset.fields,
  ...change,
});
const parse = (text: string, change: Partial<DataSetSource> = {}, isChat = true) =>
  parseDataSet(text, source(change), { isChat });

test("a line of JSONL is a prompt or messages, with lengths where it has them", () => {
  const messages = [
    { role: "system", content: "be brief" },
    { role: "user", content: "why?" },
  ];
  const text = [
    JSON.stringify({ prompt: "a b", output_tokens: 7, more: true }),
    "",
    `${JSON.stringify({ messages, input_tokens: 12, output_tokens: null })}\r`,
  ].join("\n");
  assert.deepEqual(parse(text), [
    { content: "a b", inputTokens: null, outputTokens: 7 },
    { content: messages, inputTokens: 12, outputTokens: null },
  ]);
});

test("fields have the names that the plan gives them", () => {
  const fields = { prompt: "q", messages: "chat", inputTokens: "in", outputTokens: "out" };
  assert.deepEqual(parse('{"q":"x","in":1,"out":2,"prompt":"no"}', { fields }), [
    { content: "x", inputTokens: 1, outputTokens: 2 },
  ]);
});

test("each line of a text is a prompt, whatever stands in it", () => {
  const text = 'first\n\n{"prompt":"second"}\n';
  const expected = ["first", '{"prompt":"second"}'];
  assert.deepEqual(
    parse(text, { file: "p.txt" }).map(({ content }) => content),
    expected,
  );
  assert.deepEqual(
    parse(text, { format: "text" }).map(({ content }) => content),
    expected,
  );
});

const refused: Readonly<Record<string, readonly [string, RegExp]>> = {
  "what is no JSON": ['{"prompt":"a"}\n{prompt}', /^p\.jsonl, line 2: is no JSON$/],
  "a list": ["[1]", /line 1: is no JSON object/],
  "a line without a prompt": ['{"text":"a"}', /line 1: has neither prompt nor messages/],
  "an empty prompt": ['{"prompt":""}', /line 1: prompt must be a text that is not empty/],
  "a prompt that is a number": ['{"prompt":3}', /line 1: prompt must be a text/],
  "a prompt beside messages": ['{"prompt":"a","messages":[]}', /line 1: has both prompt and messages/],
  "no message": ['{"messages":[]}', /line 1: messages must be a list/],
  "a role of nobody": ['{"messages":[{"role":"bot","content":"a"}]}', /messages\[0\]\.role must be one of/],
  "content that is no text": [
    '{"messages":[{"role":"user","content":[]}]}',
    /messages\[0\]\.content must be a text/,
  ],
  "an answer at the end": [
    '{"messages":[{"role":"assistant","content":"a"}]}',
    /must end with a message of the user/,
  ],
  "a length that is none": [
    '\n{"prompt":"a","output_tokens":0}',
    /line 2: output_tokens must be a whole number/,
  ],
  "a length that is a text": ['{"prompt":"a","input_tokens":"9"}', /line 1: input_tokens must be/],
  "nothing at all": ["\n \n", /^p\.jsonl has no prompt in it$/],
};

for (const [what, [text, message]] of Object.entries(refused)) {
  test(`a file is refused by name and line for ${what}`, () =>
    assert.throws(() => parse(text), { name: "LoadError", code: "DATASET_INVALID", message }));
}

test("messages are refused for completions, and a missing prompt names the fields that there are", () => {
  assert.throws(() => parse('{"messages":[{"role":"user","content":"a"}]}', {}, false), {
    code: "DATASET_INVALID",
    message: /messages cannot be sent to completions/,
  });
  assert.throws(() => parse('{"question":"a","id":1}'), {
    hint: /it has question, id: .*workload\.fields\.prompt/,
  });
});
