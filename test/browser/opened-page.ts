import assert from "node:assert/strict";
import { createRequire } from "node:module";
import type { Browser, Page } from "playwright-core";

/** CSS pixels; print is what A4 leaves between its margins. */
export const SIZES = { phone: [390, 844], laptop: [1366, 768], print: [695, 1000] } as const;
export type Size = keyof typeof SIZES;
export type Theme = "light" | "dark";

const AXE = createRequire(import.meta.url).resolve("axe-core/axe.min.js");

/** A page that was opened, and what it did that it should not have. */
export interface Opened {
  readonly page: Page;
  /** Console output of any kind, errors, and requests for anything but the file itself. */
  readonly faults: readonly string[];
  /** From navigation to the first frame with everything drawn. */
  readonly openMs: number;
}

/** Opens a file as a person would who was sent it: from disk, in a fresh profile. */
export async function openPage(
  browser: Browser,
  file: string,
  how: { readonly size: Size; readonly theme: Theme },
): Promise<Opened> {
  const [width, height] = SIZES[how.size];
  const context = await browser.newContext({ viewport: { width, height }, colorScheme: how.theme });
  const page = await context.newPage();
  const faults: string[] = [];
  page.on("console", (message) => faults.push(`console ${message.type()}: ${message.text()}`));
  page.on("pageerror", (error) => faults.push(`error: ${error.message}`));
  page.on("request", (request) => {
    if (request.url() !== `file://${file}` && !request.url().startsWith("data:")) {
      faults.push(`request: ${request.url()}`);
    }
  });
  const fromMs = performance.now();
  await page.goto(`file://${file}`);
  await page.waitForSelector("footer");
  await drawn(page);
  const openMs = performance.now() - fromMs;
  if (how.size === "print") {
    await page.emulateMedia({ media: "print", colorScheme: how.theme });
    await drawn(page);
  }
  return { page, faults, openMs };
}

/** Resolves when the browser has drawn what was asked of it so far. */
export async function drawn(page: Page): Promise<void> {
  await page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))");
}

interface AxeResult {
  readonly violations: readonly {
    readonly id: string;
    readonly help: string;
    readonly nodes: readonly { readonly html: string; readonly failureSummary?: string }[];
  }[];
}

/**
 * What axe finds against WCAG 2.2 A and AA and its own best practice; fails with what and where. The inside of drawings is
 * left out: it is hidden from readers, whom the chart's name, summary and table serve, and takes most of the time.
 */
export async function assertAccessible(page: Page, where: string): Promise<void> {
  if ((await page.evaluate("typeof axe")) === "undefined") await page.addScriptTag({ path: AXE });
  const { violations } = await page.evaluate<AxeResult>("axe.run({ exclude: ['.plot-svg'] })");
  const said = violations.flatMap(({ id, help, nodes }) =>
    nodes
      .slice(0, 3)
      .map(({ html, failureSummary }) => `${id}: ${help}\n  ${html}\n  ${failureSummary ?? ""}`),
  );
  assert.deepEqual(said, [], `${where}: ${violations.length} rules are broken`);
}

/** What sticks out of the page at its right. */
export async function overflowPx(page: Page): Promise<number> {
  return page.evaluate<number>("document.documentElement.scrollWidth - document.documentElement.clientWidth");
}
