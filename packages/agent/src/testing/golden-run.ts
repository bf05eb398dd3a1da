import assert from "node:assert/strict";
import {
  aPlan,
  BEFORE_REQUEST,
  GOLDEN_REQUEST,
  type GoldenCase,
  type GoldenClock,
  type GoldenServer,
  NEXT_REQUEST,
  PAUSE_STEP_MS,
  startGoldenServer,
  TickingClock,
} from "@tokenstorm/testkit";
import type { Target, TargetOptions } from "../target/target.js";
import { outcomeWord, RecordingSink, type SeenEnd, send } from "./recording-sink.js";

/** Makes the reader that is held against the table. */
export type GoldenTargetFactory = (options: TargetOptions, clock: GoldenClock) => Target;

/** No reader may take more than this of an answer that it gives up. */
const MOST_TAKEN_BYTES = 64 * 1024 * 1024;
/** Nor grow by more, with what the server in the same process holds. */
const MOST_GROWN_BYTES = 256 * 1024 * 1024;
/** Looks at the ticking clock, each a microsecond, that a case may take, and that each of its steps may. */
const LOOKS_US = 1000;
const LOOKS_OF_STEP_US = 10;

interface Played {
  readonly example: GoldenCase;
  readonly sink: RecordingSink;
  readonly end: SeenEnd;
  readonly server: GoldenServer;
}

/**
 * Plays one golden case to a reader and asserts all that the case says of it: outcome, counts, usage, what each event
 * carried, the stamps against the server's own, and that the slot's next request is none the wiser.
 *
 * Nothing here can fail for slowness: the server takes its next step only when the reader has told of everything that
 * is complete, so that every event has to be stamped between its own write and the step after it.
 */
export async function runGoldenCase(
  createTarget: GoldenTargetFactory,
  example: GoldenCase,
  clock: GoldenClock = new TickingClock(),
): Promise<void> {
  const sink = new RecordingSink();
  const server = await startGoldenServer(example, {
    clock,
    beforeStep: (written) => hasHeard(example, sink, written),
  });
  const plan = aPlan({ target: { urls: [server.url], model: "m" }, timeouts: example.limits });
  const target = createTarget({ plan, slots: 1, env: {} }, clock);
  const rssBefore = process.memoryUsage.rss();
  try {
    if (example.staleDeath !== null)
      await isGood(send(target, { id: BEFORE_REQUEST, exact: 2 }).sink, "the request before");
    const next = nextUponEnd(target, example, { sink, server });
    send(target, { id: GOLDEN_REQUEST, exact: example.exactOutputTokens, sink });
    const end = await sink.ended();
    checkResult({ example, sink, end, server });
    checkTimes({ example, sink, end, server });
    if (clock instanceof TickingClock) checkGaps({ example, sink, end, server });
    await checkNext(example, await next, server);
    assert.equal(sink.ends.length, 1, "ends of the request");
    assert.ok(server.writtenBytes < MOST_TAKEN_BYTES, `${server.writtenBytes} bytes were taken`);
    const grown = process.memoryUsage.rss() - rssBefore;
    assert.ok(grown < MOST_GROWN_BYTES, `the process grew by ${grown} bytes`);
    await target.close();
    await server.allClosed();
    assert.equal(target.openSockets, 0, "sockets open after close");
  } finally {
    await target.close();
    await server.close();
  }
}

/** Resolves when the reader has told of all that is complete with so many bytes, or has ended the request. */
async function hasHeard(example: GoldenCase, sink: RecordingSink, writtenBytes: number): Promise<void> {
  const events = example.events.filter(({ at }) => at <= writtenBytes).length;
  const headers = example.headersAt !== null && example.headersAt <= writtenBytes ? 1 : 0;
  const ended = sink.called("end");
  await Promise.race([ended, sink.called("headers", headers)]);
  await Promise.race([ended, sink.called("event", events)]);
}

/**
 * The next request goes out from within the end of this one, when the reader has had no time to see what follows it.
 * Only where a pause still goes on it waits, or that would run into its deadlines.
 */
async function nextUponEnd(
  target: Target,
  { expect }: GoldenCase,
  { sink, server }: { readonly sink: RecordingSink; readonly server: GoldenServer },
): Promise<NextRequest> {
  if (expect.endsAtMs !== null) {
    await sink.ended();
    await server.played();
    const acceptedBefore = server.accepted;
    return { acceptedBefore, ...send(target, { id: NEXT_REQUEST, exact: 2 }) };
  }
  return new Promise((resolve, reject) => {
    const { onEnd } = sink;
    sink.onEnd = (tUs, end) => {
      onEnd.call(sink, tUs, end);
      try {
        const acceptedBefore = server.accepted;
        resolve({ acceptedBefore, ...send(target, { id: NEXT_REQUEST, exact: 2 }) });
      } catch (error) {
        reject(error);
      }
    };
  });
}

interface NextRequest {
  readonly sink: RecordingSink;
  /** Connections that the server had accepted when it was sent. */
  readonly acceptedBefore: number;
}

async function isGood(sink: RecordingSink, which: string): Promise<void> {
  const end = await sink.ended();
  assert.equal(outcomeWord(end), "completed", which);
  assert.equal(end.tokenSource, "continuous", which);
  assert.deepEqual(end.usage, { prompt: 9, cachedPrompt: 0, output: 2 }, which);
  assert.deepEqual(
    sink.events.map(({ tokens }) => tokens),
    [0, 1, 1, 0],
    which,
  );
}

function checkResult({ example, sink, end, server }: Played): void {
  const { expect } = example;
  assert.equal(outcomeWord(end), expect.outcome, "outcome");
  assert.deepEqual(
    sink.events.map(({ tokens, content }) => ({ tokens, content })),
    example.events.map(({ tokens, content }) => ({ tokens, content })),
    "events",
  );
  assert.deepEqual(end.usage, expect.usage, "usage");
  assert.equal(end.tokenSource, expect.source, "token source");
  const wasStale = example.staleDeath !== null;
  assert.deepEqual(
    sink.calls.filter((call) => call !== "event"),
    [
      ...(wasStale ? ["sent", "stale-retry", "connected"] : ["connected", "sent"]),
      ...(example.headersAt === null ? [] : ["headers"]),
      "end",
    ],
    "calls",
  );
  const sent = server.requests.filter(({ headers }) => headers["x-request-id"] === GOLDEN_REQUEST);
  assert.equal(sent.length, wasStale ? 2 : 1, "times that the request was sent");
}

/** For each step that writes, how many bytes are written when it is done. */
function writtenBySteps(example: GoldenCase): number[] {
  let written = 0;
  return example.steps.map((step) => {
    if (step.kind === "write") written += step.bytes.length;
    return written;
  });
}

/** Number of the step that writes the byte which completes what is complete at `at`. */
function stepOf(written: readonly number[], at: number): number {
  return written.findIndex((bytes) => bytes >= at);
}

/** When a step began and when the one after it did; the last is bounded by the end of the request alone. */
function span({ server, end }: Played, step: number): readonly [number, number] {
  return [server.stampsUs[step] ?? Number.NaN, server.stampsUs[step + 1] ?? end.tUs];
}

function checkTimes(played: Played): void {
  const { example, sink, end, server } = played;
  const written = writtenBySteps(example);
  assert.deepEqual(
    sink.stampsUs,
    sink.stampsUs.toSorted((a, b) => a - b),
    "stamps go back",
  );
  if (example.staleDeath === null) {
    const sentUs = sink.stampOf("sent") ?? Number.NaN;
    assert.ok(sentUs <= (server.arrivedUs ?? Number.NaN), "sent is later than the request's arrival");
  }
  const within = (what: string, tUs: number | undefined, step: number) => {
    const [fromUs, toUs] = span(played, step);
    assert.ok(
      tUs !== undefined && fromUs <= tUs && tUs <= toUs,
      `${what} at ${tUs}, written at ${fromUs}, next step at ${toUs}`,
    );
  };
  if (example.headersAt !== null)
    within("headers", sink.stampOf("headers"), stepOf(written, example.headersAt));
  const steps = example.events.map(({ at }) => stepOf(written, at));
  const tokenSteps = new Set<number>();
  sink.events.forEach(({ tUs, tokens, sameRead }, i) => {
    const step = steps[i] ?? -1;
    within(`event ${i}`, tUs, step);
    if (step === steps[i - 1])
      assert.equal(tUs, sink.events[i - 1]?.tUs, `event ${i} came in one read with the one before`);
    if (tokens === 0) return;
    assert.equal(sameRead, tokenSteps.has(step), `event ${i} is told to have come with an earlier one`);
    tokenSteps.add(step);
  });
  const endUs = server.stampsUs[endStep(example)] ?? Number.NEGATIVE_INFINITY;
  assert.ok(
    end.tUs >= endUs,
    `ended at ${end.tUs}, before ${endUs}, when the last of the answer was written`,
  );
}

/** The step without which nobody can know that the answer is over; -1 where it is given up before it is. */
function endStep({ steps, expect }: GoldenCase): number {
  if (expect.endsAtMs !== null) return -1;
  if (expect.keepsSocket || expect.outcome === "completed")
    return steps.findLastIndex(({ kind }) => kind === "write");
  const isCut = expect.outcome === "stream-broken" || expect.outcome === "no-finish";
  return isCut ? steps.findIndex(({ kind }) => kind === "reset" || kind === "close") : -1;
}

/** In virtual time the gaps are known: nothing but a pause takes longer than a look at the clock. */
function checkGaps({ example, sink, end, server }: Played): void {
  const arrivedUs = server.arrivedUs ?? Number.NaN;
  let pausedMs = 0;
  let written = 0;
  let at = 0;
  const looksUs = LOOKS_US + LOOKS_OF_STEP_US * example.steps.length;
  for (const step of example.steps) {
    if (step.kind === "pause") pausedMs += step.ms;
    if (step.kind === "write") written += step.bytes.length;
    for (; at < sink.events.length && (example.events[at]?.at ?? Number.NaN) <= written; at++) {
      const lateUs = (sink.events[at]?.tUs ?? Number.NaN) - arrivedUs - pausedMs * 1000;
      assert.ok(Math.abs(lateUs) <= looksUs, `event ${at} is ${lateUs} us off its place`);
    }
  }
  const { endsAtMs } = example.expect;
  if (endsAtMs === null) return;
  const lateUs = end.tUs - arrivedUs - endsAtMs * 1000;
  // A deadline is looked at when time goes on, which it does in steps.
  const isInTime = lateUs >= -looksUs && lateUs <= looksUs + PAUSE_STEP_MS * 1000;
  assert.ok(isInTime, `ended ${lateUs} us after the deadline`);
}

async function checkNext(example: GoldenCase, next: NextRequest, server: GoldenServer): Promise<void> {
  const { keepsSocket } = example.expect;
  await isGood(next.sink, "the next request");
  assert.equal(
    server.accepted - next.acceptedBefore,
    keepsSocket ? 0 : 1,
    "connections for the next request",
  );
  // Whether a close has been seen before the next request is written is a matter of chance.
  assert.ok(next.sink.staleRetries <= (keepsSocket ? 0 : 1), "stale retries of the next request");
}
