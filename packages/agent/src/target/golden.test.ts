import assert from "node:assert/strict";
import type { Socket } from "node:net";
import { test } from "node:test";
import {
  aPlan,
  GOLDEN_REQUEST,
  type GoldenCase,
  type GoldenClock,
  goldenCases,
  property,
  realGoldenClock,
  resplit,
  startGoldenServer,
  TickingClock,
} from "@tokenstorm/testkit";
import { runGoldenCase } from "../testing/golden-run.js";
import type { SeenEvent } from "../testing/recording-sink.js";
import { attemptRequest } from "./attempt.js";
import { createEndpoints } from "./endpoint.js";
import { ReadStamps } from "./read-stamps.js";
import type { RequestSink, Target, TargetOptions } from "./target.js";
import { createUndiciTarget } from "./undici-target.js";

/** Far beyond what any case takes: a reader that never tells of what is there must not hang the tests. */
const limit = { timeout: 60_000 };

for (const example of goldenCases) {
  test(`the undici reader of ${example.name}: ${example.expect.outcome}`, limit, () =>
    runGoldenCase(createUndiciTarget, example),
  );
}

property(
  "the undici reader makes the same of every golden case, whatever writes it comes in",
  100,
  async (random) => {
    const example = random.pick(goldenCases);
    const most = random.pick([2, 10, 100, 1000]);
    await runGoldenCase(
      createUndiciTarget,
      resplit(example, `at most ${most}`, () => random.int(1, most)),
    );
  },
);

test("stamps of the machine's own clock lie between a write and the step after it, too", limit, async () => {
  const isPaced = (name: string) => /every 20 ms|SGLang|llama.cpp's framing of chat/.test(name);
  const paced = goldenCases.filter(({ name }) => isPaced(name));
  assert.equal(paced.length, 3);
  for (const example of paced) {
    await runGoldenCase(createUndiciTarget, example, realGoldenClock);
    await runGoldenCase(
      createUndiciTarget,
      resplit(example, "in pieces", (at) => 1 + (at % 97)),
      realGoldenClock,
    );
  }
});

/** Readers that are wrong in one thing each, and a golden case that must not let them pass. */
const WRONG: readonly {
  readonly name: string;
  readonly example: string;
  readonly onEvent: (event: SeenEvent, clock: GoldenClock) => SeenEvent;
  readonly message: RegExp;
}[] = [
  {
    name: "stamps each event when it is read from its buffer",
    example: "several events in one chunk",
    onEvent: (event, clock) => ({ ...event, tUs: clock.nowUs() }),
    message: /stamps go back|in one read with the one before/,
  },
  {
    name: "stamps an event a step late",
    example: "a role event with the first token's, and a token every 20 ms",
    onEvent: (event) => ({ ...event, tUs: event.tUs + 20_000 }),
    message: /stamps go back|event 0 at/,
  },
  {
    name: "stamps an event before it is written",
    example: "headers after five seconds",
    onEvent: (event) => ({ ...event, tUs: event.tUs - 1000 }),
    message: /stamps go back/,
  },
  {
    name: "takes each event for an arrival",
    example: "several events in one chunk",
    onEvent: (event) => ({ ...event, sameRead: false }),
    message: /told to have come with an earlier one/,
  },
  {
    name: "takes each event for a token",
    example: "no usage",
    onEvent: (event) => ({ ...event, tokens: 1 }),
    message: /events/,
  },
];

for (const { name, example: wanted, onEvent, message } of WRONG) {
  test(`a reader that ${name} does not pass`, limit, async () => {
    const example = goldenCases.find((one) => one.name === wanted);
    assert.ok(example !== undefined);
    const createWrong = (options: TargetOptions, clock: GoldenClock): Target => {
      const target = createUndiciTarget(options, clock);
      const { send } = target;
      target.send = (slot, request, sink) => {
        const wrong: RequestSink = {
          onConnected: (...stamps) => sink.onConnected(...stamps),
          onSent: (tUs) => sink.onSent(tUs),
          onHeaders: (tUs) => sink.onHeaders(tUs),
          onStaleRetry: () => sink.onStaleRetry(),
          onEnd: (tUs, end) => sink.onEnd(tUs, end),
          onEvent: (...[tUs, tokens, content, sameRead]) => {
            const told = onEvent({ tUs, tokens, content, sameRead }, clock);
            sink.onEvent(told.tUs, told.tokens, told.content, told.sameRead);
          },
        };
        return send.call(target, slot, request, wrong);
      };
      return target;
    };
    await assert.rejects(runGoldenCase(createWrong, example), message);
  });
}

for (const example of goldenCases.filter(isPlainText)) {
  test(`the probe shows text and finish reason of ${example.name}`, limit, async (t) => {
    const server = await startGoldenServer(example, {
      clock: new TickingClock(),
      beforeStep: () => new Promise((resolve) => setImmediate(resolve)),
    });
    t.after(() => server.close());
    const plan = aPlan({ target: { urls: [server.url], model: "m" } });
    const [endpoint] = createEndpoints(plan.target);
    assert.ok(endpoint !== undefined);
    const clock = realGoldenClock;
    const wiring = {
      clock,
      reads: new ReadStamps(clock),
      sockets: new Set<Socket>(),
      timeouts: plan.timeouts,
    };
    const key = { kind: "closed", stage: 0, user: 0, j: 0 } as const;
    const { text, answer } = await attemptRequest(
      { wiring, endpoint, path: "/v1/chat/completions", headers: [] },
      { key, id: GOLDEN_REQUEST, url: 0, body: Buffer.from("{}"), exactOutputTokens: null },
    );
    assert.equal(text, example.expect.text);
    assert.equal(answer.finishReason, example.expect.finish);
  });
}

/** The probe shows reasoning as well as content, and has no used connections. */
function isPlainText({ events, expect, staleDeath }: GoldenCase): boolean {
  const hasThoughts = events.some(({ tokens, content }) => tokens > 0 && !content);
  return expect.outcome === "completed" && staleDeath === null && !hasThoughts;
}

test("no two golden cases have one name", () => {
  const names = goldenCases.map(({ name }) => name);
  assert.deepEqual(names, [...new Set(names)]);
});
