import assert from "node:assert/strict";
import type { Socket } from "node:net";
import { test } from "node:test";
import {
  aPlan,
  GOLDEN_REQUEST,
  type GoldenCase,
  goldenCases,
  realGoldenClock,
  resplit,
  startGoldenServer,
  TickingClock,
} from "@tokenstorm/testkit";
import { testBoth } from "../testing/both-readers.js";
import { runGoldenCase } from "../testing/golden-run.js";
import { attemptRequest } from "./attempt.js";
import { createEndpoints } from "./endpoint.js";
import { createRawReader } from "./raw-connection.js";
import { createUndiciReader } from "./undici-connection.js";

/** Far beyond what any case takes: a reader that never tells of what is there must not hang the tests. */
const limit = { timeout: 60_000 };

for (const example of goldenCases) {
  testBoth(
    `the reader of ${example.name}: ${example.expect.outcome}`,
    (_, create) => runGoldenCase(create, example),
    limit,
  );
}

testBoth(
  "stamps of the machine's own clock lie between a write and the step after it, too",
  async (_, create) => {
    const isPaced = (name: string) => /every 20 ms|SGLang|llama.cpp's framing of chat/.test(name);
    const paced = goldenCases.filter(({ name }) => isPaced(name));
    assert.equal(paced.length, 3);
    for (const example of paced) {
      await runGoldenCase(create, example, realGoldenClock);
      await runGoldenCase(
        create,
        resplit(example, "in pieces", (at) => 1 + (at % 97)),
        realGoldenClock,
      );
    }
  },
  limit,
);

for (const example of goldenCases.filter(isPlainText)) {
  for (const createReader of [createUndiciReader, createRawReader])
    test(
      `${createReader.name}: an attempt shows text and finish reason of ${example.name}`,
      limit,
      async (t) => {
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
          reader: createReader(clock),
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
      },
    );
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
