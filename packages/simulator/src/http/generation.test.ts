import assert from "node:assert/strict";
import { test } from "node:test";
import { emulations } from "../emulation.js";
import type { StepOutput } from "../engine/engine.js";
import type { RequestRecord } from "../truth-log-writer.js";
import type { GenerationRequest } from "./api-request.js";
import type { Exchange } from "./connection.js";
import { EventFormat } from "./event-format.js";
import { Generation } from "./generation.js";

const REQUEST: GenerationRequest = {
  endpoint: "chat",
  promptTokens: [1, 2, 3],
  images: [],
  promptDigest: "d",
  requestId: undefined,
  stream: true,
  includeUsage: true,
  continuousUsage: false,
  returnTokenIds: false,
  maxTokens: 3,
  minTokens: 0,
  ignoreEos: true,
  cacheSalt: undefined,
  streamInterval: undefined,
};

/** A generation on a fake connection and a clock that counts: every look at it is a microsecond later. */
function scripted() {
  const writes: { text: string; afterUs: number }[] = [];
  const records: RequestRecord[] = [];
  const socket = { isBackedUp: false, drain: (): void => {}, disconnect: (): void => {} };
  let nowUs = 0;
  const exchange: Exchange = {
    request: { method: "POST", path: "/", headers: new Map(), body: Buffer.alloc(0), keepAlive: true },
    receivedUs: 0,
    get isBackedUp() {
      return socket.isBackedUp;
    },
    write: (text) => writes.push({ text, afterUs: nowUs++ }),
    done: () => {},
    destroy: () => {},
    onDisconnect: (listener) => {
      socket.disconnect = listener;
    },
    onDrain: (listener) => {
      socket.drain = listener;
    },
  };
  const generation = new Generation({
    id: "x",
    request: REQUEST,
    exchange,
    format: new EventFormat({
      request: REQUEST,
      answerId: "x",
      createdS: 1,
      model: "m",
      cachedTokens: () => undefined,
      emulation: emulations["0.14"],
    }),
    words: ["do", "re", "mi"],
    streamInterval: 1,
    reasoningTokens: 0,
    fault: undefined,
    nowUs: () => nowUs++,
    abort: () => {},
    onEnd: (record) => records.push(record),
  });
  const step = (ordinal: number): void => {
    const finish: StepOutput["finish"] = ordinal === 3 ? "length" : null;
    generation.generated();
    generation.release({ id: 1, token: ordinal, word: ordinal - 1, ordinal, finish });
  };
  return { generation, writes, records, step, socket };
}

/** What a write contains, in order. */
function parts(text: string): string[] {
  return text.match(/HTTP\/1\.1 200|"role"|"content":"[^"]+"|"usage"|\[DONE\]|\r\n0\r\n\r\n$/g) ?? [];
}

test("every step is one write: the role goes with the first token, the ending with the last", () => {
  const { generation, writes, records, step } = scripted();
  generation.start();
  for (const ordinal of [1, 2, 3]) step(ordinal);
  assert.deepEqual(
    writes.map(({ text }) => parts(text)),
    [
      ["HTTP/1.1 200"],
      ['"role"', '"content":"do"'],
      ['"content":" re"'],
      ['"content":" mi"', '"usage"', "[DONE]", "\r\n0\r\n\r\n"],
    ],
  );
  const [record] = records;
  assert.ok(record !== undefined);
  // The clock moves by one for each look, so a stamp taken right before its write is one less than it.
  const before = writes.map(({ afterUs }) => afterUs - 1);
  assert.equal(record.headersUs, before[0]);
  assert.deepEqual([record.firstTokenUs, record.firstWriteUs], [before[1], before[1]]);
  assert.deepEqual(
    [...record.writeGapsUs],
    [0, (before[2] ?? 0) - (before[1] ?? 0), (before[3] ?? 0) - (before[2] ?? 0)],
  );
  assert.equal(record.endUs, before[3]);
  assert.equal(record.closedUs, (before[3] ?? 0) + 2);
});

test("tokens wait for a backed-up socket and go out together", () => {
  const { generation, writes, records, step, socket } = scripted();
  generation.start();
  step(1);
  socket.isBackedUp = true;
  step(2);
  step(3);
  assert.equal(writes.length, 2);
  socket.isBackedUp = false;
  socket.drain();
  assert.deepEqual(parts(writes[2]?.text ?? "").slice(0, 2), ['"content":" re mi"', '"usage"']);
  assert.deepEqual([...(records[0]?.writeTokens ?? [])], [1, 2]);
});

test("a client that leaves ends the record once, and nothing is written after", () => {
  const { generation, writes, records, step, socket } = scripted();
  generation.start();
  step(1);
  socket.disconnect();
  step(2);
  socket.disconnect();
  assert.equal(writes.length, 2);
  assert.deepEqual(
    records.map((record) => [record.finishReason, record.writeGapsUs.length]),
    [["abort", 1]],
  );
});
