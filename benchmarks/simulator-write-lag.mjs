// What the simulator itself costs and how late it writes: N streams in lock step against a raw client.
//
//   node benchmarks/simulator-write-lag.mjs [streams=1000] [stepMs=45] [seconds=10]
//
// The simulator runs in this process, the client (which throws bytes away) in a child, so that the CPU
// is the simulator's alone. Lag is the stamp just before a write minus the time the step was due, found
// from the first write of the step: the k-th token of a stream is due k steps after its first.
import { fork } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseTruthLog, startSimulator } from "../packages/simulator/dist/index.js";

const [streams = 1000, stepMs = 45, seconds = 10] = process.argv.slice(2, 5).map(Number);
const maxTokens = Math.ceil((seconds * 1000) / stepMs);

if (process.env["LAG_CLIENT_PORT"] !== undefined) runClient(Number(process.env["LAG_CLIENT_PORT"]));
else await runServer();

async function runServer() {
  const directory = mkdtempSync(join(tmpdir(), "write-lag-"));
  const truthLogFile = join(directory, "truth.jsonl");
  const simulator = await startSimulator({
    truthLogFile,
    decodeStepMs: [[1, stepMs]],
    prefillTokensPerS: 1e9,
    maxNumSeqs: streams,
    keepAliveMs: 0,
  });
  const env = { ...process.env, LAG_CLIENT_PORT: String(simulator.port) };
  const client = fork(new URL(import.meta.url), process.argv.slice(2), { env });
  const clientGone = new Promise((resolve) => client.once("exit", resolve));
  while (simulator.stats().running < streams) await new Promise((resolve) => setTimeout(resolve, 20));
  const cpuBefore = process.cpuUsage();
  const tokensBefore = simulator.stats().generationTokens;
  const startedAt = performance.now();
  while (simulator.stats().running === streams) await new Promise((resolve) => setTimeout(resolve, 100));
  const cpu = process.cpuUsage(cpuBefore);
  const tokens = simulator.stats().generationTokens - tokensBefore;
  const elapsedS = (performance.now() - startedAt) / 1000;
  await clientGone;
  const { slippedUs } = simulator.stats();
  await simulator.close();
  const cpuUs = cpu.user + cpu.system;
  const log = parseTruthLog(readFileSync(truthLogFile, "utf8").split("\n"));
  rmSync(directory, { recursive: true });
  print({ tokens, elapsedS, cpuUs, slippedUs, lagsUs: writeLags(log) });
}

function print({ tokens, elapsedS, cpuUs, slippedUs, lagsUs }) {
  const at = (q) => ((lagsUs[Math.floor(q * (lagsUs.length - 1))] ?? 0) / 1000).toFixed(2);
  console.log(
    `${streams} streams, step ${stepMs} ms: ${Math.round(tokens / elapsedS)} events/s, ` +
      `${(cpuUs / tokens).toFixed(2)} us CPU per event, ${(cpuUs / 1e6 / elapsedS).toFixed(2)} cores; ` +
      `write lag p50 ${at(0.5)} p90 ${at(0.9)} p99 ${at(0.99)} max ${at(1)} ms; slipped ${slippedUs / 1000} ms`,
  );
}

/** The steady part of the longest-running streams: lag behind a grid laid through the earliest write seen. */
function writeLags(log) {
  const stepUs = stepMs * 1000;
  const steady = log.requests.flatMap((request) => request.writesUs.slice(2, -2));
  // The grid is absolute as long as nothing slipped; its phase is the smallest remainder's, seen circularly.
  const phases = steady.map((us) => us % stepUs);
  const origin = circularStart(phases, stepUs);
  return phases.map((phase) => (phase - origin + stepUs) % stepUs).sort((a, b) => a - b);
}

/** Writes of a step lie close together behind its due time: the start is after the widest empty arc. */
function circularStart(phases, period) {
  const sorted = Float64Array.from(phases).sort();
  let widest = sorted[0] + period - sorted[sorted.length - 1];
  let start = sorted[0];
  for (let i = 1; i < sorted.length; i++) {
    if (sorted[i] - sorted[i - 1] <= widest) continue;
    widest = sorted[i] - sorted[i - 1];
    start = sorted[i];
  }
  return start;
}

function runClient(port) {
  let open = streams;
  for (let i = 0; i < streams; i++) {
    const body = JSON.stringify({ prompt: [i + 1], stream: true, max_tokens: maxTokens, ignore_eos: true });
    let tail = "";
    const socket = connect({
      port,
      host: "127.0.0.1",
      onread: {
        buffer: Buffer.alloc(4096),
        callback: (size, bytes) => {
          tail = bytes.toString("latin1", Math.max(0, size - 7), size);
          if (tail.endsWith("0\r\n\r\n")) socket.end();
          return true;
        },
      },
    });
    socket.write(
      `POST /v1/completions HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n` +
        `content-length: ${body.length}\r\n\r\n${body}`,
    );
    socket.on("close", () => {
      if (--open === 0) process.exit();
    });
  }
}
