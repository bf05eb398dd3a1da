import assert from "node:assert/strict";
import { test } from "node:test";
import { aPlan, VirtualClock } from "@tokenstorm/testkit";
import { outcomeWord, RecordingSink } from "../testing/recording-sink.js";
import { Exchange } from "./exchange.js";

const TOKEN = 'data: {"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":"stop"}]}\n\n';

/** A request that has been written, whose answer was read at `READ_US` and is not understood yet. */
const READ_US = 5;
function withUnreadAnswer(isFlushed: boolean) {
  const clock = new VirtualClock();
  let answer: (() => void) | null = () => {
    exchange.head(200, "text/event-stream");
    exchange.body(Buffer.from(TOKEN));
    exchange.complete();
  };
  const settle = () => {
    const understand = answer;
    answer = null;
    understand?.();
  };
  const after = (run: () => void) => {
    settle();
    run();
  };
  const reads = { read: 0, stampUs: () => READ_US, settle, after };
  const carrier = { dispatch: () => undefined, discard: () => undefined, released: () => undefined };
  const { timeouts } = aPlan({ timeouts: { ttftMs: 1000, stallMs: 1000, totalMs: 1000 } });
  const exchange = new Exchange({ carrier, clock, reads, timeouts });
  const sink = new RecordingSink();
  const key = { kind: "closed", stage: 0, user: 0, j: 0 } as const;
  const request = { key, id: "r", url: 0, body: Buffer.alloc(0), exactOutputTokens: null };
  const serial = exchange.begin(request, sink);
  exchange.started(false);
  exchange.written(isFlushed);
  return { clock, exchange, serial, sink };
}

test("a request whose answer was read before it was cancelled is complete", async () => {
  const { exchange, serial, sink } = withUnreadAnswer(true);
  exchange.cancel(serial);
  assert.equal(outcomeWord(await sink.ended()), "completed");
});

test("a request whose answer was read before its time was up is complete", async () => {
  const { clock, sink } = withUnreadAnswer(true);
  await clock.advanceByAsync(2_000_000);
  assert.equal(outcomeWord(await sink.ended()), "completed");
});

test("a request counts as sent no later than its answer was read", () => {
  const { clock, exchange, serial, sink } = withUnreadAnswer(false);
  clock.advanceBy(9);
  exchange.flushed(serial);
  assert.deepEqual([sink.stampOf("sent"), sink.stampOf("headers")], [READ_US, READ_US]);
});
