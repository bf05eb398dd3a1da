import assert from "node:assert/strict";
import { test } from "node:test";
import type { Capacity } from "@tokenstorm/core";
import { aPlan } from "@tokenstorm/testkit";
import { chooseReader, UNDICI_EVENTS_PER_S } from "./choose-reader.js";

const chosen = (
  reader: "auto" | "undici" | "raw" | undefined,
  plannedEventsPerS?: number,
  capacity?: Capacity,
) =>
  chooseReader({
    capacity,
    plan: aPlan({ target: { urls: ["http://127.0.0.1:1"], ...(reader === undefined ? {} : { reader }) } }),
    ...(plannedEventsPerS === undefined ? {} : { plannedEventsPerS }),
  });

test("by default undici reads what it carries, and the raw reader what it does not", () => {
  assert.equal(chosen(undefined), "undici");
  assert.equal(chosen(undefined, UNDICI_EVENTS_PER_S), "undici");
  assert.equal(chosen(undefined, UNDICI_EVENTS_PER_S + 1), "raw");
  assert.equal(chosen("auto", UNDICI_EVENTS_PER_S + 1), "raw");
});

test("what undici carries on this host, by its calibration, takes the place of the fixed rate", () => {
  const found = (eventsPerS: number, isAtLeast = false): Capacity => ({
    undici: { eventsPerS, isAtLeast },
    raw: { eventsPerS: 90_000, isAtLeast },
  });
  for (const carried of [8_000, 40_000]) {
    assert.equal(chosen("auto", carried, found(carried)), "undici");
    assert.equal(chosen("auto", carried + 1, found(carried)), "raw");
  }
  assert.equal(chosen("auto", undefined, found(8_000)), "undici");
  assert.equal(chosen("undici", 50_000, found(8_000)), "undici");
});

test("a calibration that was cut short takes nothing away from the fixed rate, and may add to it", () => {
  const atLeast = (eventsPerS: number): Capacity => ({
    undici: { eventsPerS, isAtLeast: true },
    raw: { eventsPerS: 90_000, isAtLeast: true },
  });
  assert.equal(chosen("auto", UNDICI_EVENTS_PER_S, atLeast(6_000)), "undici");
  assert.equal(chosen("auto", UNDICI_EVENTS_PER_S + 1, atLeast(6_000)), "raw");
  assert.equal(chosen("auto", 36_000, atLeast(36_000)), "undici");
});

test("where raw is known to carry no more than undici, auto stays with undici", () => {
  const known = (raw: number, isAtLeast: boolean): Capacity => ({
    undici: { eventsPerS: 30_000, isAtLeast: false },
    raw: { eventsPerS: raw, isAtLeast },
  });
  assert.equal(chosen("auto", 99_000, known(30_000, false)), "undici");
  assert.equal(chosen("auto", 99_000, known(30_000, true)), "raw");
  assert.equal(chosen("auto", 99_000, known(30_001, false)), "raw");
});

test("what the plan says holds at any rate", () => {
  assert.equal(chosen("undici", 1_000_000), "undici");
  assert.equal(chosen("raw", 1), "raw");
});
