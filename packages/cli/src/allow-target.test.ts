import assert from "node:assert/strict";
import { test } from "node:test";
import { Command, CommanderError } from "commander";
import {
  type AllowTargetFlags,
  addAllowTargetFlag,
  allowedTargets,
  allowTargetArgs,
} from "./allow-target.js";

/** The rules that a command line and an environment make; undefined where it was wrong use, and then what was said. */
function rulesOf(args: readonly string[], env: Record<string, string> = {}) {
  let said = "";
  const command = addAllowTargetFlag(new Command(), "where")
    .exitOverride()
    .configureOutput({ writeErr: (text) => (said += text) });
  try {
    command.parse([...args], { from: "user" });
    return {
      rules: allowedTargets(command, command.opts<AllowTargetFlags>(), env).map(({ text }) => text),
      said,
    };
  } catch (error) {
    assert.ok(error instanceof CommanderError);
    return { rules: undefined, said };
  }
}

test("rules come from the flag, else by commas from the environment; without any there is none", () => {
  assert.deepEqual(rulesOf([]).rules, []);
  assert.deepEqual(rulesOf([], { TOKENSTORM_ALLOW_TARGET: "" }).rules, []);
  assert.deepEqual(rulesOf(["--allow-target", "a.test", "--allow-target", "10.0.0.0/8"]).rules, [
    "a.test",
    "10.0.0.0/8",
  ]);
  const env = { TOKENSTORM_ALLOW_TARGET: "b.test:80, [2001:db8::]/32" };
  assert.deepEqual(rulesOf([], env).rules, ["b.test:80", "[2001:db8::]/32"]);
  assert.deepEqual(rulesOf(["--allow-target", "a.test"], env).rules, ["a.test"]);
});

test("what is no rule is wrong use, and the message names it", () => {
  const flag = rulesOf(["--allow-target", "h/v1"]);
  assert.equal(flag.rules, undefined);
  assert.match(flag.said, /--allow-target <rule>' argument 'h\/v1' is invalid.*has a path/);
  const env = rulesOf([], { TOKENSTORM_ALLOW_TARGET: "a.test,10.0.0.0/99" });
  assert.equal(env.rules, undefined);
  assert.match(env.said, /TOKENSTORM_ALLOW_TARGET: "10\.0\.0\.0\/99" has a network's size/);
});

test("a variable that is set and names nothing does not open what it was to bound", () => {
  for (const text of [",", " ", "a.test,"]) {
    assert.equal(rulesOf([], { TOKENSTORM_ALLOW_TARGET: text }).rules, undefined, JSON.stringify(text));
  }
});

test("a password in what is no rule is not repeated", () => {
  const { said } = rulesOf([], { TOKENSTORM_ALLOW_TARGET: "http://me:hunter2@h" });
  assert.match(said, /names a user/);
  assert.doesNotMatch(said, /hunter2/);
});

test("a child process gets the rules as they were written", () => {
  const { rules } = rulesOf(["--allow-target", "a.test", "--allow-target", "https://b.test"]);
  assert.ok(rules !== undefined);
  const args = rules.flatMap((text) => ["--allow-target", text]);
  assert.deepEqual(rulesOf(args).rules, rules);
  assert.deepEqual(allowTargetArgs([]), []);
});
