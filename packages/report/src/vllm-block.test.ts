import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { vllmSample } from "./definitions-samples.js";
import { renderVllm } from "./vllm-block.js";

const file = fileURLToPath(new URL("../screens/vllm-block.txt", import.meta.url));

test("the block is as it is stored: labels, order and widths of vllm bench serve", () => {
  const text = `${renderVllm(vllmSample)}\n`;
  if (process.env["TOKENSTORM_UPDATE_SCREENS"] === "1") writeFileSync(file, text);
  assert.equal(text, readFileSync(file, "utf8"));
});

test("what reads a block line by line finds each figure once a level, and nothing in the comments", () => {
  const lines = renderVllm(vllmSample).split("\n");
  const found = lines.flatMap((line) => {
    const [, label, figure] = /^([A-Z][^:#]+):\s+([0-9.]+)/.exec(line) ?? [];
    return label === undefined ? [] : [[label, Number(figure)] as const];
  });
  const of = (label: string) => found.filter(([name]) => name === label).map(([, figure]) => figure);
  assert.deepEqual(of("Successful requests"), [1590, 1590]);
  assert.deepEqual(of("Maximum request concurrency"), [100]);
  assert.deepEqual(of("Request rate configured (RPS)"), [50]);
  assert.deepEqual(of("Benchmark duration (s)"), [63, 60]);
  assert.deepEqual(of("Mean TTFT (ms)"), [20], "n/a is no figure");
  for (const line of lines) if (/^[=-]/.test(line)) assert.equal(line.length, 50, line);
});
