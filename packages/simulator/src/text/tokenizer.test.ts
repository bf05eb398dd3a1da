import assert from "node:assert/strict";
import { test } from "node:test";
import { tokenize, tokenizeChat } from "./tokenizer.js";
import { createVocabulary } from "./vocabulary.js";

test("words of up to six characters are one token, longer ones one per six begun", () => {
  const cases: [string, number][] = [
    ["", 0],
    ["  \n\t ", 0],
    ["a", 1],
    ["sixsix", 1],
    ["sevenxx", 2],
    [" a  bb\nccc ", 3],
    ["x".repeat(13), 3],
    ["日本語", 1],
  ];
  for (const [text, count] of cases) assert.equal(tokenize(text).length, count, JSON.stringify(text));
});

test("equal words have equal ids wherever they stand", () => {
  const [first, other, again] = tokenize("storm token storm");
  assert.equal(first, again);
  assert.notEqual(first, other);
});

test("the chat template adds nine tokens, and four for each further message", () => {
  const user = (text: string) => ({ role: "user", parts: [{ kind: "text" as const, text }] });
  assert.equal(tokenizeChat([user("one two")]).tokens.length, 2 + 9);
  assert.equal(tokenizeChat([user("one two"), user("three")]).tokens.length, 3 + 13);
  assert.equal(
    tokenizeChat([{ role: "user", parts: [{ kind: "image", image: { hash: 1, tokens: 1060, markers: 2 } }] }])
      .tokens.length,
    1071,
  );
});

test("a turn and its answer are the front of the next turn", () => {
  const text = (role: string, words: string) => ({ role, parts: [{ kind: "text" as const, text: words }] });
  const first = tokenizeChat([text("user", "one two")]).tokens;
  const next = tokenizeChat([
    text("user", "one two"),
    text("assistant", "bo ba"),
    text("user", "more"),
  ]).tokens;
  assert.deepEqual(next.slice(0, first.length + 2), [...first, ...tokenize("bo ba")]);
});

test("every word that can come out is one token with the id the tokenizer gives it", () => {
  for (const multiByte of [false, true]) {
    const { words, tokens } = createVocabulary({ multiByte });
    assert.equal(words.length, 980);
    for (const [i, word] of words.entries()) assert.deepEqual(tokenize(word), [tokens[i]], word);
    assert.equal(new Set(words).size, multiByte ? 980 - 123 + 8 : 980);
  }
});
