import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import type { TestContext } from "node:test";

/**
 * Prometheus's own reader and linter of metrics pages: PROMTOOL_BIN, or the one in PATH. Where there is none the test is
 * skipped, with a reason that nobody overlooks, or fails when REQUIRE_PROMTOOL=1; then this is undefined and the test
 * should return.
 */
export function promtoolOrSkip(t: Pick<TestContext, "skip">): string | undefined {
  const named = process.env["PROMTOOL_BIN"] ?? "";
  const bin = named === "" ? "promtool" : named;
  if (spawnSync(bin, ["--version"], { stdio: "ignore" }).status === 0) return bin;
  const why = "NO promtool HERE: set PROMTOOL_BIN to one; scripts/get-promtool.sh prints its path";
  assert.notEqual(process.env["REQUIRE_PROMTOOL"], "1", why);
  t.skip(why);
  return undefined;
}

/** What it says of a page; empty where it has nothing to find fault with. */
export async function lintMetrics(bin: string, page: string): Promise<string> {
  const child = spawn(bin, ["check", "metrics"], { stdio: ["pipe", "pipe", "pipe"] });
  let said = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      said += text;
    });
  }
  const ended = new Promise<number | null>((resolve) => child.on("close", resolve));
  child.stdin.end(page);
  const status = await ended;
  return status === 0 ? said : `${said}(exit ${status})`;
}
