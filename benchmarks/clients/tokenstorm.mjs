// The agent's own readers, behind the interface that the agent uses: `--reader raw` or `--reader undici`.

import { createRawTarget, createUndiciTarget } from "../../packages/agent/dist/target/targets.js";
import { requirePlan } from "../../packages/core/dist/index.js";
import { systemClock } from "../../packages/protocol/dist/index.js";
import { clientOptions, firstTokens, requestBody, stampLog, watchWindow } from "../lib/client.mjs";

const options = clientOptions();
const { port, streams, tokens, reader, out } = options;
const START_MS = Math.min(500, options.warmUpMs / 2);
const plan = requirePlan({
  version: 1,
  target: { urls: [`http://127.0.0.1:${port}`], model: "m" },
  load: { kind: "users", stages: [{ users: streams, durationMs: 1000 }] },
});
const create = reader === "raw" ? createRawTarget : createUndiciTarget;
const target = create({ plan, slots: streams, env: {} }, systemClock());
const log = stampLog(options);
const body = requestBody(tokens);
/** By their gaps, as the recorder does it. */
const gaps = new Uint32Array(23552);
let isOver = false;

/** One for each slot, reused, as the agent's own. */
class Sink {
  #slot;
  #serial = 0;
  #request = 0;
  #lastUs = 0;

  constructor(slot) {
    this.#slot = slot;
    this.#send(requestBody(firstTokens(slot, options)));
  }

  #send(bytes) {
    const id = `b-${this.#slot}-${this.#serial++}`;
    this.#request = log.open(id);
    this.#lastUs = 0;
    target.send(this.#slot, { key: null, id, url: 0, body: bytes, exactOutputTokens: null }, this);
  }

  onConnected() {}
  onSent() {}
  onHeaders() {}
  onStaleRetry() {}

  onEvent(tUs, eventTokens) {
    if (eventTokens === 0) return;
    log.token(this.#request, tUs);
    if (this.#lastUs > 0) countGap(tUs - this.#lastUs);
    this.#lastUs = tUs;
  }

  onEnd(_tUs, { outcome }) {
    if (isOver) return;
    if (outcome.kind !== "completed") throw new Error(`a request failed: ${JSON.stringify(outcome)}`);
    this.#send(body);
  }
}

function countGap(us) {
  const bucket = 31 - Math.clz32(us | 2047) - 10;
  gaps[(bucket << 10) + (us >>> bucket)]++;
}

for (let slot = 0; slot < streams; slot++) setTimeout(() => new Sink(slot), (slot / streams) * START_MS);
const figures = await watchWindow(options, log);
isOver = true;
await target.close();
await log.write(out);
console.log(JSON.stringify(figures));
