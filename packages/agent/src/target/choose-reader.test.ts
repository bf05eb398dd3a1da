import assert from "node:assert/strict";
import { test } from "node:test";
import { aPlan } from "@tokenstorm/testkit";
import { chooseReader, UNDICI_EVENTS_PER_S } from "./choose-reader.js";

const chosen = (reader: "auto" | "undici" | "raw" | undefined, plannedEventsPerS?: number) =>
  chooseReader({
    plan: aPlan({ target: { urls: ["http://127.0.0.1:1"], ...(reader === undefined ? {} : { reader }) } }),
    ...(plannedEventsPerS === undefined ? {} : { plannedEventsPerS }),
  });

test("by default undici reads what it carries, and the raw reader what it does not", () => {
  assert.equal(chosen(undefined), "undici");
  assert.equal(chosen(undefined, UNDICI_EVENTS_PER_S), "undici");
  assert.equal(chosen(undefined, UNDICI_EVENTS_PER_S + 1), "raw");
  assert.equal(chosen("auto", UNDICI_EVENTS_PER_S + 1), "raw");
});

test("what the plan says holds at any rate", () => {
  assert.equal(chosen("undici", 1_000_000), "undici");
  assert.equal(chosen("raw", 1), "raw");
});
