import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const LIMIT_MS = 60_000;
/** What a benchmark ends with where it cannot be run; the reason is its last line. */
const SKIPPED = 3;

interface Ended {
  readonly code: number;
  readonly output: string;
}

function runBenchmark(name: string, ...words: string[]): Promise<Ended> {
  const args = [join(root, "benchmarks", name), "--smoke", ...words];
  return new Promise((resolve) => {
    execFile(process.execPath, args, { timeout: LIMIT_MS }, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === "number" ? error.code : 1;
      resolve({ code, output: `${stdout}${stderr}` });
    });
  });
}

/** Whether it is skipped here; loudly. */
function isSkipped(t: TestContext, { code, output }: Ended): boolean {
  if (code !== SKIPPED) return false;
  t.skip(output.trimEnd().split("\n").at(-1) ?? "");
  return true;
}

test("the benchmark of readers reads streams with both readers and the C++ one", async (t) => {
  const ended = await runBenchmark("stream-readers.mjs", "--clients", "c++,raw,undici");
  if (isSkipped(t, ended)) return;
  assert.equal(ended.code, 0, ended.output);
  for (const client of ["c\\+\\+", "raw", "undici"]) {
    const line = new RegExp(`^ +${client} +[0-9.]+ +([0-9]+) `, "m").exec(ended.output);
    assert.ok(Number(line?.[1]) > 0, `${client} read nothing: ${ended.output}`);
  }
});

test("the benchmark of the fold folds what agents recorded, and nothing is refused", async () => {
  const { code, output } = await runBenchmark("fold-agents.mjs");
  assert.equal(code, 0, output);
  assert.match(output, /500 requests\/s and agent: [0-9.]+ of a core/);
});
