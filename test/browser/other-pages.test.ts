import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import {
  parsePublished,
  requireStudy,
  runsOf,
  type StudyInput,
  type StudyReport,
  scheduleStudy,
  summariseStudy,
} from "@tokenstorm/core";
import {
  bakePage,
  comparisonData,
  type ReportData,
  rebuildEvidence,
  runData,
  studyData,
} from "@tokenstorm/report";
import { chromiumOrSkip, madeUpRun, tempDir } from "@tokenstorm/testkit";
import { type Browser, chromium } from "playwright-core";
import { assertAccessible, openPage, overflowPx, SIZES, type Size } from "./opened-page.js";
import { template } from "./page-cases.js";

const SHOTS = process.env["TOKENSTORM_SHOTS"];
const LEVELS = [1, 20, 60];
const HOSTILE = "</script><script>window.hostile = 1</script>";

/** Repeats of two sides, or one run each. */
async function comparison(sides: number, repeats: number): Promise<ReportData> {
  const made = await Promise.all(
    Array.from({ length: sides }, async (_, side) => ({
      label: "ABC"[side] ?? "",
      runs: await Promise.all(
        Array.from({ length: repeats }, (_, repeat) =>
          rebuildEvidence(
            madeUpRun({
              ...{ agents: 2, levels: LEVELS, levelMs: 10_000, seed: 10 * side + repeat + 1 },
              name: HOSTILE,
              hasTrouble: side === 2,
            }),
          ),
        ),
      ),
    })),
  );
  return comparisonData(made);
}

/** Two conditions, three repeats, one of them not yet run; nothing in it was measured. */
async function study(): Promise<ReportData> {
  const target = { urls: ["http://127.0.0.1:8000"] };
  const stages = LEVELS.map((users) => ({ users, durationMs: "10s" }));
  const facts = { model: "M", paramsTotalB: 405, paramsActiveB: 405, precision: "FP8", gpu: "G", gpus: 8 };
  const file: StudyInput = {
    ...{ version: 1, name: "sample", repeats: 3, notes: [`A sample. ${HOSTILE}`] },
    publishedRows: { file: "rows.json", sha256: "0123456789abcdef".repeat(4) },
    conditions: [
      { name: "off", target, facts: { ...facts, aiter: "off" } },
      {
        ...{ name: "on", target, facts: { ...facts, aiter: "on" }, confounders: ["another day"] },
        simulated: { profile: "m", calibratedBy: ["rows"] },
      },
    ],
    suites: [
      {
        ...{ name: "levels", phase: "ab", order: "interleaved", pairs: [{ a: "off", b: "on" }] },
        ...{ published: { on: "rows" }, plan: { load: { kind: "users", stages } } },
      },
      { name: "later", phase: "stress", plan: { load: { kind: "users", stages } } },
    ],
  };
  const parsed = requireStudy(file);
  const runs = runsOf(scheduleStudy(parsed, { mode: "default" }));
  const wanted = runs.filter(
    ({ suite, condition, repeat }) => suite === "levels" && !(condition === "on" && repeat === 3),
  );
  const results = await Promise.all(
    wanted.map(async ({ key, condition, repeat }) => {
      const seed = repeat + (condition === "on" ? 10 : 0);
      const { report } = await runData(madeUpRun({ agents: 2, levels: LEVELS, levelMs: 10_000, seed }));
      return { key, run: `r${repeat}${condition}`, directory: `runs/${condition}-r${repeat}`, report };
    }),
  );
  const published = parsePublished({
    schema: "study-published-results/1",
    series: [
      {
        ...{ id: "rows", model: "m", source: "a sample" },
        levels: [{ nominal_concurrency: 20, total_tok_s: 9000, p99_latency_s: 2.1, status: "OK" }],
      },
    ],
  });
  const report: StudyReport = summariseStudy({
    ...{ study: parsed, runs, results, published, mode: "default", digest: "d", version: "0.1.0" },
    startedAt: "2026-03-14T09:26:53.000Z",
  });
  return studyData(report);
}

const PAGES: readonly (readonly [string, () => Promise<ReportData>])[] = [
  ["a comparison of two runs", () => comparison(2, 1)],
  ["a comparison of three sides with repeats", () => comparison(3, 2)],
  ["a study", study],
];

async function launch(t: TestContext): Promise<Browser | undefined> {
  const executablePath = chromiumOrSkip(t);
  if (executablePath === undefined) return undefined;
  const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
  t.after(() => browser.close());
  return browser;
}

for (const [name, make] of PAGES) {
  test(`the page of ${name} opens from disk without a word on the console, and is accessible`, async (t) => {
    const browser = await launch(t);
    if (browser === undefined) return;
    const file = join(await tempDir(t), "page.html");
    writeFileSync(file, bakePage(template(), await make()));
    for (const size of Object.keys(SIZES) as Size[]) {
      const theme = size === "laptop" ? "dark" : "light";
      const { page, faults } = await openPage(browser, file, { size, theme });
      if (SHOTS !== undefined) {
        mkdirSync(SHOTS, { recursive: true });
        await page.screenshot({
          path: join(SHOTS, `${name} ${size}.png`.replaceAll(" ", "-")),
          fullPage: true,
        });
      }
      assert.equal(await overflowPx(page), 0, `${size}: sticks out at the right`);
      assert.equal(await page.evaluate("window.hostile"), undefined);
      assert.ok((await page.locator("figure").count()) >= 4, "it has charts");
      if (size === "laptop") await assertAccessible(page, `${name}, ${size}`);
      assert.deepEqual(faults, [], size);
      await page.context().close();
    }
  });
}
