import assert from "node:assert/strict";
import { test } from "node:test";
import { requirePlan } from "../plan/parse-plan.js";
import {
  CALIBRATION_WORDS,
  calibrationFrom,
  calibrationFromChats,
  calibrationText,
  NO_CALIBRATION,
  wordsFor,
} from "./calibration.js";
import { WORDS } from "./words.js";
import { createWorkload } from "./workload.js";

/** A tokenizer with words of one and of two tokens, and a template of nine. */
const TEMPLATE = 9;
const count = (text: string) => text.split(" ").reduce((sum, word) => sum + (word.length > 5 ? 2 : 1), 0);

test("the calibration text holds every word equally often", () => {
  const words = calibrationText(CALIBRATION_WORDS).split(" ");
  assert.equal(words.length, CALIBRATION_WORDS);
  for (const word of WORDS)
    assert.equal(words.filter((one) => one === word).length, CALIBRATION_WORDS / 512, word);
  assert.equal(calibrationText(1), WORDS[0]);
});

test("a chat prompt comes to the asked number of tokens, template included", () => {
  const text = calibrationText(CALIBRATION_WORDS);
  const calibration = calibrationFrom({
    words: CALIBRATION_WORDS,
    textTokens: count(text),
    chatTokens: count(text) + TEMPLATE,
  });
  assert.equal(calibration.templateTokens, TEMPLATE);
  assert.ok((calibration.wordsPerToken ?? 1) < 0.95);
  const plan = requirePlan({
    version: 1,
    target: { urls: ["http://h:8000"] },
    workload: { inputTokens: 600 },
    load: { kind: "users", stages: [{ users: 1, durationMs: 1000 }] },
  });
  const source = createWorkload(plan, { salt: "s", calibration });
  const counts = Array.from({ length: 100 }, (_, j) => {
    const { prompt } = source.requestFor({ kind: "closed", stage: 1, user: 0, j });
    return prompt.kind === "text" ? count(prompt.text) + TEMPLATE : 0;
  });
  const mean = counts.reduce((sum, tokens) => sum + tokens, 0) / counts.length;
  assert.ok(Math.abs(mean / 600 - 1) < 0.01, `asked 600, mean ${mean}`);
});

test("two chats of different length give the same as text and chat", () => {
  const chat = (words: number) => ({ words, chatTokens: count(calibrationText(words)) + TEMPLATE });
  const { wordsPerToken, templateTokens } = calibrationFromChats(chat(512), chat(1024));
  assert.equal(templateTokens, TEMPLATE);
  assert.equal(wordsPerToken, 512 / count(calibrationText(512)));
});

test("an unknown template is null, a tokenizer that counts less in a chat adds none", () => {
  assert.deepEqual(calibrationFrom({ words: 100, textTokens: 50, chatTokens: null }), {
    wordsPerToken: 2,
    templateTokens: null,
  });
  assert.equal(calibrationFrom({ words: 100, textTokens: 50, chatTokens: 40 }).templateTokens, 0);
  assert.throws(() => calibrationFrom({ words: 100, textTokens: 0, chatTokens: null }), /no calibration/);
});

test("there is always at least one word, also where the template is longer than the prompt", () => {
  assert.equal(wordsFor(5, { wordsPerToken: null, templateTokens: 9 }), 1);
  assert.equal(wordsFor(1, { wordsPerToken: 0.2, templateTokens: null }), 1);
  assert.equal(wordsFor(100, NO_CALIBRATION), 100);
  assert.equal(wordsFor(100, { wordsPerToken: 0.75, templateTokens: 20 }), 60);
});
