import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { untilHolds } from "@tokenstorm/testkit";
import { type HookCommand, hookText, runHook, startHook } from "./hook-process.js";

function aCommand(t: TestContext, words: readonly string[], over: Partial<HookCommand> = {}): HookCommand {
  const folder = mkdtempSync(join(tmpdir(), "tokenstorm-test-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const env = { PATH: process.env["PATH"] };
  return { words, shell: false, folder, env, logFile: join(folder, "log"), ...over };
}

const said = ({ logFile }: HookCommand) => readFileSync(logFile, "utf8").trim();
const run = (command: HookCommand, timeLimitMs = 20_000, signal = new AbortController().signal) =>
  runHook(command, { timeLimitMs, signal });

test("words stay words without a shell, and become a line for one where the file says so", async (t) => {
  const words = ["echo", "a; touch made", "$HOME", "*"];
  const plain = aCommand(t, words);
  await run(plain);
  assert.equal(said(plain), "a; touch made $HOME *");
  assert.equal(existsSync(join(plain.folder, "made")), false);
  const shell = aCommand(t, words, { shell: true });
  await run(shell);
  assert.equal(existsSync(join(shell.folder, "made")), true, "in the folder of the study file");
});

test("a hook does not get what lets tokenstorm in to NATS", async (t) => {
  const secrets = { NATS_PASSWORD: "p1", NATS_TOKEN: "p2", NATS_URL: "nats://u:p3@h", NATS_CREDS: "p4" };
  const command = aCommand(t, ["env"], { env: { PATH: process.env["PATH"], HF_TOKEN: "mine", ...secrets } });
  await run(command);
  assert.match(said(command), /HF_TOKEN=mine/);
  assert.doesNotMatch(said(command), /p1|p2|p3|p4/);
});

test("what a hook started itself ends with it", async (t) => {
  const command = aCommand(t, ["/bin/sh", "-c", "sleep 600 & echo $!; wait"]);
  const hook = await startHook(command);
  assert.ok(await untilHolds(() => said(command) !== "", 20_000));
  const child = Number(said(command));
  assert.ok(child > 0, "the inner process told its id");
  await hook.stop(5000);
  assert.equal(hook.isRunning(), false);
  assert.ok(await untilHolds(() => isGone(child), 20_000));
});

function isGone(pid: number): boolean {
  const stat = join("/proc", String(pid), "stat");
  return !existsSync(stat) || / Z /.test(readFileSync(stat, "utf8"));
}

test("what a hook leaves behind ends when it does, and not when its number may be another's", async (t) => {
  const command = aCommand(t, ["/bin/sh", "-c", "sleep 600 & echo $!"]);
  const hook = await startHook(command);
  assert.equal(await hook.ended, null);
  const child = Number(said(command));
  assert.ok(child > 0, "the inner process told its id");
  assert.ok(await untilHolds(() => isGone(child), 20_000));
  await hook.stop(5000);
});

test("a hook that is interrupted is ended, and that is no failure of its own", async (t) => {
  const aborting = new AbortController();
  const running = run(aCommand(t, ["sleep", "600"]), 600_000, aborting.signal);
  aborting.abort();
  await running;
});

test("a hook's words are told as a person would write them", () => {
  assert.equal(hookText(["vllm", "serve", "a b", "--x=1", "{q}"]), 'vllm serve "a b" --x=1 {q}');
});
