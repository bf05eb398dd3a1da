import assert from "node:assert/strict";
import { test } from "node:test";
import { aPlan, VirtualClock } from "@tokenstorm/testkit";
import { createFakeTarget } from "../testing/fake-target.js";
import { keepStamps } from "./kept-stamps.js";
import type { RequestSink } from "./target.js";

const ASKED = { plan: aPlan(), slots: 2, env: {} };
const END = { kind: "completed" } as const;

function listener(heard: string[]): RequestSink {
  return {
    onConnected: () => heard.push("connected"),
    onSent: () => heard.push("sent"),
    onHeaders: () => heard.push("headers"),
    onEvent: () => heard.push("event"),
    onStaleRetry: () => heard.push("retry"),
    onEnd: () => heard.push("end"),
  };
}

/** Two requests one after the other on a slot, of which each has three events of a token and one without. */
async function keptOf(mostEvents: number) {
  const clock = new VirtualClock();
  const written: string[] = [];
  const sinks: RequestSink[] = [];
  const targets = keepStamps(
    (options) => ({
      ...createFakeTarget({ clock }, options),
      send: (_slot, _request, sink) => {
        sinks.push(sink);
        return { cancel: () => undefined };
      },
    }),
    {
      mostEvents,
      write: async (lines) => {
        written.push(...lines);
      },
    },
  );
  const target = targets(ASKED);
  const heard: string[] = [];
  for (const [i, id] of ["one", "two"].entries()) {
    const key = { kind: "closed", stage: 0, user: 0, j: i } as const;
    target.send(0, { key, id, url: 0, body: new Uint8Array(), exactOutputTokens: null }, listener(heard));
    const fromUs = i * 1000;
    sinks[i]?.onSent(fromUs + 100);
    sinks[i]?.onHeaders(fromUs + 200);
    sinks[i]?.onEvent(fromUs + 200, 0, false, false);
    sinks[i]?.onEvent(fromUs + 300, 1, true, false);
    sinks[i]?.onEvent(fromUs + 450, 1, true, false);
    sinks[i]?.onEvent(fromUs + 450, 2, true, true);
    sinks[i]?.onEnd(fromUs + 500, { outcome: END, usage: null, tokenSource: "events", finish: "stop" });
  }
  await target.close();
  await target.close();
  const lines: unknown[] = written.map((line) => JSON.parse(line));
  return { lines, heard };
}

test("kept stamps are written once, when the target is closed, and the listener hears everything all the same", async () => {
  const { lines, heard } = await keptOf(1000);
  assert.deepEqual(lines, [
    { kind: "stamps", version: 1 },
    {
      kind: "request",
      id: "one",
      sentUs: 100,
      headersUs: 200,
      endUs: 500,
      outcome: "completed",
      eventsUs: [300, 150, 0],
      tokens: [1, 1, 2],
    },
    {
      kind: "request",
      id: "two",
      sentUs: 1100,
      headersUs: 1200,
      endUs: 1500,
      outcome: "completed",
      eventsUs: [1300, 150, 0],
      tokens: [1, 1, 2],
    },
    { kind: "end", requests: 2, events: 6, missed: 0 },
  ]);
  const each = ["sent", "headers", "event", "event", "event", "event", "end"];
  assert.deepEqual(heard, [...each, ...each]);
});

test("beyond their bound events are not kept but counted", async () => {
  const { lines } = await keptOf(4);
  assert.deepEqual(lines.at(-1), { kind: "end", requests: 2, events: 4, missed: 2 });
});
