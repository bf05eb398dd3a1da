import assert from "node:assert/strict";
import { appendFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { RunReport } from "@tokenstorm/core";
import { reportFromJson } from "@tokenstorm/protocol";
import { runCli, scratch, startSimulator } from "./cli.js";

const LIMIT = { timeout: 240_000 };

/** Runs a plan with two local agents; a verdict of a busy machine is no matter here, a failed run is. */
async function runPlan(
  t: TestContext,
  plan: object,
  options: { readonly folder?: string; readonly args?: readonly string[] } = {},
): Promise<RunReport> {
  const folder = options.folder ?? scratch(t);
  const file = join(folder, "plan.json");
  writeFileSync(file, JSON.stringify({ version: 1, warmUp: { requests: 2 }, ...plan }));
  const args = ["--processes", "2", "--out", join(folder, "runs"), "--json", "--ui", "none"];
  const run = await runCli(t, ["run", file, ...args, ...(options.args ?? [])], {
    env: { TOKENSTORM_DATA_CACHE: join(folder, "cache") },
  });
  assert.match(run.stdout, /"state":\s*"completed"/, `${run.code}: ${run.stderr}`);
  return reportFromJson(run.stdout);
}

const users = { kind: "users", stages: [{ users: 6, rampUpMs: 0, requests: 60 }] };

test(
  "images, a file and text reach the server as they were asked for, and each stands apart in the report",
  LIMIT,
  async (t) => {
    const simulator = await startSimulator(t, ["--profile", "qwen3-vl-235b", "--time-scale", "20"]);
    const folder = scratch(t);
    mkdirSync(join(folder, "data"));
    const lines = Array.from({ length: 9 }, (_, i) =>
      JSON.stringify({ prompt: `what is ${i}?`, output_tokens: 3 + i }),
    );
    writeFileSync(join(folder, "data", "q.jsonl"), lines.join("\n"));
    const workload = {
      kind: "mixture",
      of: [
        { name: "text", weight: 2, inputTokens: 80, outputTokens: 6 },
        { name: "seen", weight: 1, inputTokens: 60, outputTokens: 5, images: { count: 2, size: "512x512" } },
        { name: "file", weight: 1, kind: "dataset", file: "data/q.jsonl" },
      ],
    };
    const report = await runPlan(t, { workload, load: users, target: { urls: [simulator.url] } }, { folder });
    const truth = (await simulator.truth()).filter(({ id }) => id.startsWith(`ts-${report.run.id}-s1-`));
    assert.equal(truth.length, 60);
    const work = report.stages[0]?.work ?? [];
    assert.deepEqual(
      work.map(({ name }) => name),
      ["text", "seen", "file"],
    );
    const [text, seen, file] = work;
    assert.ok(text && seen && file);
    assert.equal(text.offered + seen.offered + file.offered, 60);
    for (const one of work) assert.deepEqual([one.failed, one.completed], [0, one.offered]);
    assert.deepEqual([text.askedPromptMean, text.outputMean, file.askedPromptMean], [80, 6, null]);
    assert.ok(Math.abs((text.promptMean ?? 0) - 80) < 4, `${text.promptMean}`);
    // Qwen3-VL: 256 tokens for 512x512, and two markers, by the rule of its preprocessor.
    const images = (seen.promptMean ?? 0) - 60;
    assert.ok(Math.abs(images - 2 * 258) < 6, `${images} tokens of images`);
    assert.deepEqual(
      new Set(
        truth.filter(({ maxTokens }) => maxTokens > 6 || maxTokens < 5).map(({ maxTokens }) => maxTokens),
      ).size > 4,
      true,
      "the file's own lengths",
    );
  },
);

test(
  "a trace is sent whole by two agents, its blocks shared; conversations grow by real answers",
  LIMIT,
  async (t) => {
    const simulator = await startSimulator(t, ["--time-scale", "20"]);
    const folder = scratch(t);
    const trace = Array.from({ length: 30 }, (_, i) =>
      JSON.stringify({ timestamp: i * 100, input_length: 40 + i, output_length: 4, hash_ids: [1, i % 3] }),
    );
    writeFileSync(join(folder, "t.jsonl"), trace.join("\n"));
    const target = { urls: [simulator.url] };
    const load = { kind: "trace", file: "t.jsonl", speed: 2 };
    const replayed = await runPlan(
      t,
      { target, load, workload: { kind: "trace", blockTokens: 16 } },
      { folder },
    );
    const open = replayed.stages[0]?.stimulus?.open;
    assert.deepEqual([open?.planned, open?.offered, replayed.stages[0]?.requests.completed], [30, 30, 30]);
    // Held against the file's own times, which the submitted plan tells the density of.
    const { atLeast = 1, atMost = -1 } = open?.arrivalDistance ?? {};
    assert.ok(atLeast <= atMost && atMost > 0 && atMost <= 1, JSON.stringify(open));
    const conversation = { kind: "conversation", turns: 3, inputTokens: 20, outputTokens: 8 };
    const talked = await runPlan(t, { target, load: users, workload: conversation });
    const truth = await simulator.truth();
    const asked = truth.filter(({ id }) => id.startsWith(`ts-${replayed.run.id}-s1-`));
    assert.equal(asked.length, 30);
    for (const { id, promptTokens, maxTokens } of asked) {
      const k = Number(/-k(\d+)-/.exec(id)?.[1]);
      assert.ok(Math.abs(promptTokens - (40 + k)) <= 4, `${id}: ${promptTokens} tokens`);
      assert.equal(maxTokens, 4);
    }
    const turns = truth.filter(({ id }) => id.startsWith(`ts-${talked.run.id}-s1-u0-`));
    const lengths = turns.sort((a, b) => (a.id < b.id ? -1 : 1)).map(({ promptTokens }) => promptTokens);
    assert.equal(lengths.length, 10);
    for (const [j, tokens] of lengths.entries()) {
      if (j % 3 > 0) assert.ok(tokens > (lengths[j - 1] ?? 0) + 20, `turn ${j} of ${lengths.join()}`);
      else assert.ok(Math.abs(tokens - 20) < 8, `turn ${j} of ${lengths.join()}`);
    }
  },
);

test(
  "a file that is wrong, gone or changed is one clear line with exit code 104, before anything is started",
  LIMIT,
  async (t) => {
    const folder = scratch(t);
    const file = join(folder, "q.jsonl");
    writeFileSync(file, '{"prompt":"a"}\n{"promt":"b"}\n');
    const plan = (workload: object) => {
      const path = join(folder, "plan.json");
      const target = { urls: ["http://127.0.0.1:1"] };
      writeFileSync(
        path,
        JSON.stringify({ version: 1, target, load: users, workload: { kind: "dataset", ...workload } }),
      );
      return path;
    };
    const refused = async (args: readonly string[], message: RegExp) => {
      const { code, stderr } = await runCli(t, [...args]);
      assert.equal(code, 104, stderr);
      assert.match(stderr, message);
      assert.doesNotMatch(stderr, /\n\s+at /);
    };
    await refused(["run", plan({ file: "q.jsonl" })], /q\.jsonl, line 2: has neither prompt nor messages/);
    await refused(
      ["validate", plan({ file: "gone.jsonl" })],
      /gone\.jsonl cannot be read: there is no such file/,
    );
    writeFileSync(file, '{"prompt":"a"}\n');
    await refused(
      ["validate", plan({ file: "q.jsonl", sha256: "0".repeat(64) })],
      /is not the file that the plan states/,
    );
    appendFileSync(file, Buffer.from([0xff, 0x0a]));
    await refused(["validate", plan({ file: "q.jsonl" })], /q\.jsonl is no text in UTF-8/);
    await refused(
      ["probe", "http://127.0.0.1:1", "--set", 'workload={"kind":"conversation"}'],
      /a probe sends made-up text/,
    );
  },
);
