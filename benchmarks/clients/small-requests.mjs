// One of four clients on Node, sending small requests as fast as the answers come: `--reader raw|undici|fetch|autocannon`.
// Runs until it is killed; the load server counts.
import { createRequire } from "node:module";
import { createRawTarget, createUndiciTarget } from "../../packages/agent/dist/target/targets.js";
import { requirePlan } from "../../packages/core/dist/index.js";
import { systemClock } from "../../packages/protocol/dist/index.js";
import { clientOptions } from "../lib/client.mjs";

const { port, streams, reader } = clientOptions();
const url = `http://127.0.0.1:${port}`;
const path = "/v1/chat/completions";
const body = Buffer.from(JSON.stringify({ model: "m", stream: true, max_tokens: 1, prompt: "Say yes." }));
const headers = { "content-type": "application/json" };

if (reader === "fetch") for (let i = 0; i < streams; i++) void sendByFetch();
else if (reader === "autocannon") sendByAutocannon();
else sendByTarget(reader === "raw" ? createRawTarget : createUndiciTarget);

async function sendByFetch() {
  for (;;) await (await fetch(url + path, { method: "POST", headers, body })).text();
}

function sendByAutocannon() {
  const require = createRequire(new URL("../../.cache/bench/autocannon/", import.meta.url));
  const autocannon = require("autocannon");
  autocannon({ url: url + path, method: "POST", headers, body, connections: streams, duration: 60 });
}

function sendByTarget(create) {
  const plan = requirePlan({
    version: 1,
    target: { urls: [url], model: "m" },
    load: { kind: "users", stages: [{ users: streams, durationMs: 1000 }] },
  });
  const target = create({ plan, slots: streams, env: {} }, systemClock());
  const nothing = () => undefined;
  for (let slot = 0; slot < streams; slot++) {
    const sink = {
      onConnected: nothing,
      onSent: nothing,
      onHeaders: nothing,
      onEvent: nothing,
      onStaleRetry: nothing,
    };
    const send = () =>
      target.send(slot, { key: null, id: `s-${slot}`, url: 0, body, exactOutputTokens: 1 }, sink);
    sink.onEnd = (_tUs, { outcome }) => {
      if (outcome.kind !== "completed") throw new Error(`a request failed: ${JSON.stringify(outcome)}`);
      send();
    };
    send();
  }
}
