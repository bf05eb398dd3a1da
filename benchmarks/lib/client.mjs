// What every client of the benchmark that runs on Node has in common: its options, its stamps, what it says at the end.
import { createWriteStream } from "node:fs";
import { parseArgs } from "node:util";

const PROMPT = "x".repeat(2000);

export function clientOptions() {
  const text = { type: "string" };
  const names = ["port", "streams", "tokens", "warm-up-ms", "window-ms", "out", "reader"];
  const { values } = parseArgs({ options: Object.fromEntries(names.map((name) => [name, text])) });
  return {
    port: Number(values.port),
    streams: Number(values.streams),
    tokens: Number(values.tokens),
    warmUpMs: Number(values["warm-up-ms"]),
    windowMs: Number(values["window-ms"]),
    out: values.out,
    reader: values.reader,
  };
}

export function nowUs() {
  return Number(process.hrtime.bigint() / 1000n);
}

export function requestBody(tokens) {
  return Buffer.from(JSON.stringify({ model: "m", stream: true, max_tokens: tokens, prompt: PROMPT }));
}

/** Of the first request on a slot: answers that differ in length, so that their ends are spread out from then on. */
export function firstTokens(slot, { streams, tokens }) {
  return Math.max(1, Math.floor((tokens * (slot + 1)) / streams));
}

/** Keeps the stamp of every token, in one array made beforehand. */
export class StampLog {
  events = 0;
  #us;
  #ids = [];
  /** Where the stamps of each request begin; each has room for a whole answer. */
  #counts = [];
  #tokens;

  constructor({ tokens, requests }) {
    this.#tokens = tokens;
    this.#us = new Float64Array(tokens * requests);
  }

  /** Returns the number of the request. */
  open(id) {
    if ((this.#ids.length + 1) * this.#tokens > this.#us.length)
      throw new Error("more requests than there is room for");
    this.#counts.push(0);
    return this.#ids.push(id) - 1;
  }

  token(request, tUs) {
    this.#us[request * this.#tokens + this.#counts[request]++] = tUs;
    this.events++;
  }

  async write(file) {
    const stream = createWriteStream(file);
    for (const [request, id] of this.#ids.entries()) {
      const from = request * this.#tokens;
      const us = Array.from(this.#us.subarray(from, from + this.#counts[request]));
      stream.write(`${JSON.stringify({ id, us })}\n`);
    }
    await new Promise((resolve) => stream.end(resolve));
  }
}

/** Room for what can end in the time: the load server's fastest rate is far below a hundred answers a second and stream. */
export function stampLog({ streams, tokens, eventsPerS = 250_000, warmUpMs, windowMs }) {
  const answers = (eventsPerS / tokens) * ((warmUpMs + windowMs) / 1000);
  return new StampLog({ tokens, requests: Math.ceil(answers) + 3 * streams });
}

/** Waits out warm-up and window, and prints what the process spent in the window. */
export async function watchWindow({ warmUpMs, windowMs }, log) {
  await pause(warmUpMs);
  const fromUs = nowUs();
  const eventsBefore = log.events;
  const cpuBefore = process.cpuUsage();
  await pause(windowMs);
  const cpu = process.cpuUsage(cpuBefore);
  const events = log.events - eventsBefore;
  const rssBytes = process.memoryUsage.rss();
  return { fromUs, toUs: nowUs(), cpuUs: cpu.user + cpu.system, events, rssBytes };
}

export function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
