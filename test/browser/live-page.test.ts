import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { runData } from "@tokenstorm/report";
import { chromiumOrSkip, madeUpRun } from "@tokenstorm/testkit";
import { build } from "esbuild";
import { chromium } from "playwright-core";
import { drawn } from "./opened-page.js";

/** The page's own code without the data that are baked into a file: what a live page will call. */
async function appScript(): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(import.meta.resolve("@tokenstorm/dashboard"))],
    bundle: true,
    write: false,
    format: "iife",
    globalName: "app",
  });
  return outputFiles[0]?.text ?? assert.fail("nothing was built");
}

test("the same page shows newer data in place, and keeps what a reader had opened", async (t) => {
  const executablePath = chromiumOrSkip(t);
  if (executablePath === undefined) return;
  const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
  t.after(() => browser.close());
  const page = await browser.newPage();
  const faults: string[] = [];
  page.on("pageerror", (error) => faults.push(error.message));
  await page.setContent('<!doctype html><html lang="en"><div id="root"></div>');
  await page.addScriptTag({ content: await appScript() });
  const options = { agents: 2, levels: [2, 5], levelMs: 9000, seed: 8 };
  const run = madeUpRun({ ...options, isTakenOver: true });
  const before = madeUpRun(options);
  const half = { ...before, results: before.results.slice(0, Math.floor(before.results.length / 2)) };
  const show = (data: unknown) => page.evaluate("shown.show(__data)".replace("__data", JSON.stringify(data)));
  await page.evaluate("globalThis.shown = app.createPage(document.getElementById('root'))");
  await show(await runData(half));
  const first = await page.textContent("#time-output .summary");
  const warnings = () => page.locator("#trust dd.warning").allTextContents();
  assert.deepEqual(await warnings(), []);
  await page.click("#time-output summary");
  await drawn(page);
  const rows = await page.locator("#time-output tbody tr").count();
  await show(await runData(run));
  await drawn(page);
  assert.notEqual(await page.textContent("#time-output .summary"), first);
  assert.equal(await page.locator("#time-output").count(), 1);
  const [leading, lost] = await warnings();
  assert.match(leading ?? "", /led by coordinator-1 .* nobody led from 2\.0 s to 4\.0 s/);
  assert.match(lost ?? "", /^! load-2 was last heard at 1\.0 s /);
  assert.ok(await page.isVisible("#time-output tbody"), "the table that was open is open");
  assert.equal(await page.locator("#time-output tbody tr").count(), rows);
  assert.deepEqual(faults, []);
});
