import { connect, type Socket } from "node:net";
import { Worker } from "node:worker_threads";
import type { ProbeDelays } from "@tokenstorm/core";
import { PROBE_PERIOD_US } from "./missed-probes.js";
import { ProbeReadings } from "./probe-readings.js";

/** Longest that the worker may take to be there, and the connection. */
const START_LIMIT_MS = 5000;
const STAMP_BYTES = 8;
const READ_BYTES = 4096;

/**
 * Sends the kernel's monotonic clock, the same one in all threads, once a period to the one who connects, and listens to
 * nobody else. In one string, so that a single file needs no second one; it holds no secrets. The thread waits and writes
 * without its event loop: a stream's timer and write cost several times as much CPU. It ends when nobody reads any more.
 */
const WORKER = `
const { writeSync } = require("node:fs");
const { createServer } = require("node:net");
const { parentPort, workerData } = require("node:worker_threads");
const nobody = new Int32Array(new SharedArrayBuffer(4));
const stamp = Buffer.alloc(${STAMP_BYTES});
const nowUs = () => Number(process.hrtime.bigint() / 1000n);
// Compiled before it counts: at fifty calls a second that would take minutes.
for (let i = 0; i < 10_000; i += 1) stamp.writeDoubleLE(nowUs());
const send = (fd) => {
  stamp.writeDoubleLE(nowUs());
  try {
    writeSync(fd, stamp);
  } catch (error) {
    // Whoever does not read is asked no more; what is missing is reckoned from the gap.
    return error.code === "EAGAIN";
  }
  return true;
};
const server = createServer({ noDelay: true, pauseOnConnect: true }, (socket) => {
  server.close();
  socket.on("error", () => undefined);
  const { fd } = socket._handle;
  if (!(fd >= 0)) throw new Error("the socket has no descriptor");
  do Atomics.wait(nobody, 0, 0, workerData.periodMs);
  while (send(fd));
  socket.destroy();
});
server.maxConnections = 1;
server.listen(0, "127.0.0.1", () => parentPort.postMessage(server.address().port));
`;

export interface SelfProbeOptions {
  readonly nowUs: () => number;
  /** There is none, or no more; said once. */
  readonly onAbsent: (why: string) => void;
  /** What the thread runs, for tests. */
  readonly code?: string;
}

/**
 * Measures how late this process reads what has arrived for it: a worker thread sends a stamp over loopback every 20 ms, and
 * the loop that reads answers reads it in the same way. Needs no word from any server; costs under 1 % of a core.
 */
export class SelfProbe {
  readonly #options: SelfProbeOptions;
  #worker: Worker | undefined;
  #socket: Socket | undefined;
  #limit: NodeJS.Timeout | undefined;
  #readings: ProbeReadings | undefined;
  #hasFailed = false;
  readonly #left = Buffer.alloc(STAMP_BYTES);
  #leftBytes = 0;

  constructor(options: SelfProbeOptions) {
    this.#options = options;
  }

  /** Once it has failed it stays absent. May be called twice. */
  start(): void {
    if (this.#worker !== undefined || this.#hasFailed) return;
    try {
      const worker = new Worker(this.#options.code ?? WORKER, {
        eval: true,
        env: {},
        execArgv: [],
        workerData: { periodMs: PROBE_PERIOD_US / 1000 },
        resourceLimits: { maxOldGenerationSizeMb: 16, maxYoungGenerationSizeMb: 2 },
      });
      this.#worker = worker;
      worker.unref();
      worker.once("message", (port: unknown) => {
        if (this.#worker === worker && typeof port === "number") this.#connect(port);
      });
      worker.on("error", (error: Error) => {
        if (this.#worker === worker) this.#fail(error.message);
      });
      // A loop that was busy for so long runs its timers before it reads: what has come is read first.
      this.#limit = setTimeout(() => setImmediate(() => this.#failUnread(worker)), START_LIMIT_MS);
      this.#limit.unref();
    } catch (error) {
      this.#fail(error instanceof Error ? error.message : String(error));
    }
  }

  /** Delays of what was read before `beforeUs`, since the last call; undefined where there is no probe. */
  take(beforeUs: number): ProbeDelays | undefined {
    return this.#readings?.take(beforeUs);
  }

  /** May be called twice; can be started again. */
  stop(): void {
    clearTimeout(this.#limit);
    const worker = this.#worker;
    this.#worker = undefined;
    this.#socket?.destroy();
    this.#socket = undefined;
    this.#readings = undefined;
    this.#leftBytes = 0;
    // Rejects never; nobody waits for a thread that has nothing to say.
    void worker?.terminate();
  }

  #connect(port: number): void {
    const buffer = Buffer.alloc(READ_BYTES);
    const socket = connect({
      host: "127.0.0.1",
      port,
      noDelay: true,
      onread: {
        buffer,
        callback: (bytes) => {
          this.#read(this.#options.nowUs(), buffer, bytes);
          return true;
        },
      },
    });
    this.#socket = socket;
    socket.unref();
    const lost = (why: string) => {
      if (this.#socket === socket) this.#fail(why);
    };
    socket.on("error", (error) => lost(error.message));
    socket.on("close", () => lost("its connection was closed"));
  }

  #read(nowUs: number, buffer: Buffer, bytes: number): void {
    if (this.#leftBytes === 0 && bytes % STAMP_BYTES === 0) {
      for (let at = 0; at < bytes; at += STAMP_BYTES) this.#heed(nowUs, buffer.readDoubleLE(at));
      return;
    }
    for (let i = 0; i < bytes; i += 1) {
      this.#left[this.#leftBytes] = buffer[i] ?? 0;
      this.#leftBytes += 1;
      if (this.#leftBytes < STAMP_BYTES) continue;
      this.#leftBytes = 0;
      this.#heed(nowUs, this.#left.readDoubleLE());
    }
  }

  #heed(nowUs: number, stampUs: number): void {
    if (this.#readings === undefined) {
      clearTimeout(this.#limit);
      this.#readings = new ProbeReadings();
    }
    this.#readings.heed(nowUs, stampUs);
  }

  #failUnread(worker: Worker): void {
    if (this.#worker === worker && this.#readings === undefined) {
      this.#fail(`no stamp within ${START_LIMIT_MS / 1000} s`);
    }
  }

  #fail(why: string): void {
    if (this.#hasFailed) return;
    this.#hasFailed = true;
    this.stop();
    this.#options.onAbsent(why);
  }
}
