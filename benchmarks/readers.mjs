// What reading costs: CPU per event of both readers at the same rate, and how many events shared a read.
//
//   node benchmarks/readers.mjs [rounds=3] [eventsPerS=12000,48000] [streams=1000]
//
// A load server in a process of its own writes each event at its time; each reader runs in a fresh process, in turn, so
// that a busy machine spoils both alike. Compare only figures of one rate: CPU per event falls as the load rises. Where
// taskset is there, server and reader get a core each. A C++ reader for reference is still missing here.
import { fork, spawnSync } from "node:child_process";
import { loadavg } from "node:os";

const rounds = Number(process.argv[2] ?? 3);
const rates = (process.argv[3] ?? "12000,48000").split(",").map(Number);
const streams = Number(process.argv[4] ?? 1000);
const READERS = ["undici", "raw"];
const WARM_UP_MS = 2000;
const WINDOW_MS = 3000;
const TOKENS = 128;

const hasTaskset = spawnSync("taskset", ["-c", "0,1", "true"]).status === 0;

const role = process.env.READERS_ROLE;
// A child does not outlive whoever started it.
if (role !== undefined) process.on("disconnect", () => process.exit());
if (role === "server") await serve();
else if (role === "reader") await read();
else await compare();

async function compare() {
  for (const rate of rates) {
    const figures = new Map(READERS.map((reader) => [reader, []]));
    for (let round = 0; round < rounds; round++) {
      for (const reader of READERS) figures.get(reader).push(await measure(reader, rate));
    }
    print(rate, figures);
  }
}

async function measure(reader, rate) {
  const server = start("server", 0, { READERS_RATE: String(rate) });
  const { port } = await message(server);
  const client = start("reader", 1, { READERS_READER: reader, READERS_PORT: String(port) });
  const figure = await message(client);
  server.kill();
  return figure;
}

function start(childRole, core, env) {
  const options = { env: { ...process.env, ...env, READERS_ROLE: childRole } };
  const args = process.argv.slice(2);
  if (!hasTaskset) return fork(process.argv[1], args, options);
  return fork(process.argv[1], args, {
    ...options,
    execPath: "taskset",
    execArgv: ["-c", String(core), process.execPath],
  });
}

function message(child) {
  return new Promise((resolve, reject) => {
    child.once("message", resolve);
    child.once("exit", (code) => reject(new Error(`a child ended with code ${code}`)));
  });
}

function print(rate, figures) {
  console.log(`${rate} events/s over ${streams} streams, ${rounds} rounds, load ${loadavg()[0].toFixed(1)}`);
  const costs = new Map();
  for (const [reader, rows] of figures) {
    const cost = median(rows.map((row) => row.cpuUs / row.events));
    costs.set(
      reader,
      rows.map((row) => row.cpuUs / row.events),
    );
    const missed = rows.filter((row) => (row.events / row.ms) * 1000 < rate * 0.95).length;
    const perS = median(rows.map((row) => (row.events / row.ms) * 1000));
    const shared = median(rows.map((row) => row.sharedReads / row.events));
    const rss = median(rows.map((row) => row.rssBytes)) / 2 ** 20;
    console.log(
      `  ${reader.padEnd(7)} ${cost.toFixed(2).padStart(6)} us CPU/event, ${perS.toFixed(0).padStart(6)} events/s read, ` +
        `${(shared * 100).toFixed(2)} % coalesced, ${rss.toFixed(0)} MB` +
        (missed > 0 ? `; ${missed} rounds fell short of the rate` : ""),
    );
  }
  const [one, other] = READERS.map((reader) => costs.get(reader));
  const ratio = median(other.map((cost, i) => cost / one[i]));
  console.log(`  ${READERS[1]}/${READERS[0]} ${ratio.toFixed(2)} (median of the rounds' ratios)`);
}

function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  return sorted.length % 2 === 1 ? sorted[Math.floor(middle)] : (sorted[middle - 1] + sorted[middle]) / 2;
}

async function read() {
  const { createRawTarget, createUndiciTarget } = await import("../packages/agent/dist/target/targets.js");
  const { systemClock } = await import("../packages/protocol/dist/index.js");
  const { requirePlan } = await import("../packages/core/dist/index.js");
  const plan = requirePlan({
    version: 1,
    target: { urls: [`http://127.0.0.1:${process.env.READERS_PORT}`], model: "m" },
    load: { kind: "users", stages: [{ users: streams, durationMs: 1000 }] },
  });
  const create = process.env.READERS_READER === "raw" ? createRawTarget : createUndiciTarget;
  const target = create({ plan, slots: streams, env: {} }, systemClock());
  const body = Buffer.from(JSON.stringify({ model: "m", stream: true, prompt: "x".repeat(2000) }));
  const seen = { events: 0, sharedReads: 0, failed: 0 };
  const nothing = () => undefined;
  const send = (slot) => {
    const sink = {
      onConnected: nothing,
      onSent: nothing,
      onHeaders: nothing,
      onEvent: (_tUs, _tokens, _content, sameRead) => {
        seen.events++;
        if (sameRead) seen.sharedReads++;
      },
      onStaleRetry: nothing,
      onEnd: (_tUs, { outcome }) => {
        if (outcome.kind === "cancelled") return;
        if (outcome.kind === "failed") seen.failed++;
        request();
      },
    };
    const request = () =>
      target.send(slot, { key: null, id: `r-${slot}`, url: 0, body, exactOutputTokens: null }, sink);
    request();
  };
  for (let slot = 0; slot < streams; slot++) setTimeout(send, (slot / streams) * (WARM_UP_MS / 2), slot);
  await pause(WARM_UP_MS);
  const before = { ...seen, cpu: process.cpuUsage(), at: performance.now() };
  await pause(WINDOW_MS);
  const ms = performance.now() - before.at;
  const cpu = process.cpuUsage(before.cpu);
  if (seen.failed > 0) throw new Error(`${seen.failed} requests failed`);
  process.send({
    ms,
    cpuUs: cpu.user + cpu.system,
    events: seen.events - before.events,
    sharedReads: seen.sharedReads - before.sharedReads,
    rssBytes: process.memoryUsage.rss(),
  });
  await target.close();
  process.disconnect();
}

/** Streams as vLLM frames them: an event of 250 bytes at a time, each at its own time, no two streams in step. */
async function serve() {
  const { createServer } = await import("node:net");
  const itlMs = (streams * 1000) / Number(process.env.READERS_RATE);
  const frame = (data) => `${Buffer.byteLength(data).toString(16)}\r\n${data}\r\n`;
  const event = (delta, finish) =>
    frame(
      `data: ${JSON.stringify({
        id: "chatcmpl-0123456789abcdef0123456789abcdef",
        object: "chat.completion.chunk",
        created: 1_700_000_000,
        model: "meta-llama/Llama-3.1-405B-Instruct-FP8",
        choices: [{ index: 0, delta, logprobs: null, finish_reason: finish, token_ids: null }],
      })}\n\n`,
    );
  const head =
    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n";
  const first = Buffer.from(head + event({ role: "assistant", content: "" }, null));
  const token = Buffer.from(event({ content: " token" }, null));
  const usage = { prompt_tokens: 500, completion_tokens: TOKENS };
  const last = Buffer.from(
    event({ content: " end" }, "length") +
      frame(`data: ${JSON.stringify({ id: "chatcmpl-0", choices: [], usage })}\n\n`) +
      frame("data: [DONE]\n\n") +
      "0\r\n\r\n",
  );
  // By due time, which is the order of joining as well: every stream waits equally long between its events.
  const queue = [];
  let from = 0;
  const turn = () => {
    const nowMs = performance.now();
    while (from < queue.length && queue[from].dueMs <= nowMs) {
      const stream = queue[from++];
      if (stream.socket.destroyed) continue;
      stream.sent++;
      stream.socket.write(stream.sent === 1 ? first : stream.sent <= TOKENS ? token : last);
      if (stream.sent > TOKENS) continue;
      stream.dueMs = Math.max(stream.dueMs + itlMs, queue.at(-1).dueMs);
      queue.push(stream);
    }
    if (from > 100_000) {
      queue.splice(0, from);
      from = 0;
    }
    // Spinning would take the core from whoever else is there.
    if (from < queue.length && queue[from].dueMs - nowMs < 1) setImmediate(turn);
    else setTimeout(turn, 1);
  };
  turn();
  const server = createServer({ noDelay: true }, (socket) => {
    socket.on("error", () => undefined);
    let left = 0;
    socket.on("data", (bytes) => {
      // A request's head comes with its body; its length says where the next one begins.
      if (left === 0) {
        const end = bytes.indexOf("\r\n\r\n");
        left = end + 4 + Number(/content-length: (\d+)/.exec(bytes.toString("latin1", 0, end))[1]);
      }
      left -= bytes.length;
      if (left > 0) return;
      queue.push({ socket, sent: 0, dueMs: Math.max(performance.now() + itlMs, queue.at(-1)?.dueMs ?? 0) });
    });
  });
  server.listen(0, "127.0.0.1", () => process.send({ port: server.address().port }));
}

function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
