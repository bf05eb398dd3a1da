import assert from "node:assert/strict";
import { test } from "node:test";
import { LoadError } from "@tokenstorm/core";
import { describeError } from "./errors.js";

test("an operational error is one line, its hint another, and no stack", () => {
  const error = new LoadError("BUS_UNAVAILABLE", "nothing listens at nats://h:4222", {
    hint: "start nats-server",
  });
  assert.deepEqual(describeError(error, { debug: false }), {
    text: "error: nothing listens at nats://h:4222\nhint: start nats-server",
    code: 1,
  });
});

test("several problems of a plan follow one another, a line each", () => {
  const error = new LoadError(
    "PLAN_INVALID",
    "the plan has 2 problems\nload.usres: unknown key\nseed: too big",
  );
  const failure = describeError(error, { debug: false });
  assert.equal(failure.text, "error: the plan has 2 problems\n  load.usres: unknown key\n  seed: too big");
  assert.equal(failure.code, 104);
});

test("anything else is called a bug, shortly; the stack comes with --debug", () => {
  const error = new TypeError("x is not a function\n    at somewhere");
  const short = describeError(error, { debug: false });
  assert.match(short.text, /^error: this is a bug in tokenstorm: x is not a function at somewhere\nhint: /);
  assert.equal(short.code, 1);
  assert.doesNotMatch(short.text, /^\s+at /m);
  assert.match(describeError(error, { debug: true }).text, /errors\.test/);
});

test("what came over the network cannot move the cursor of the reader's terminal", () => {
  const ESCAPE = String.fromCharCode(27);
  const failure = describeError(new LoadError("AGENT_LOST", `agent ${ESCAPE}[2J is lost`), { debug: false });
  assert.ok(!failure.text.includes(ESCAPE));
});
