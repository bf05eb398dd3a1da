import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import type { TestContext } from "node:test";

const NAMES = [
  "chromium-headless-shell",
  "chromium",
  "chromium-browser",
  "google-chrome-stable",
  "google-chrome",
];

/**
 * A Chromium to look at pages with: CHROMIUM_BIN, or one in PATH. Where there is none the test is skipped, with a reason
 * that nobody overlooks, or fails when REQUIRE_BROWSER=1; then this is undefined and the test should return.
 */
export function chromiumOrSkip(t: Pick<TestContext, "skip">): string | undefined {
  const named = process.env["CHROMIUM_BIN"] ?? "";
  for (const bin of named === "" ? NAMES : [named]) {
    const found = spawnSync("/bin/sh", ["-c", 'command -v "$1"', "sh", bin], { encoding: "utf8" });
    if (found.status === 0) return found.stdout.trim();
  }
  const why = "NO CHROMIUM HERE: set CHROMIUM_BIN to one; scripts/get-chromium.sh prints its path";
  assert.notEqual(process.env["REQUIRE_BROWSER"], "1", why);
  t.skip(why);
  return undefined;
}
