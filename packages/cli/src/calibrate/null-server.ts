import { createServer, type Server, type Socket } from "node:net";
import { systemClock } from "@tokenstorm/protocol";
import { buildNullAnswer, TOKENS_PER_ANSWER } from "./null-answer.js";
import { type NullRequest, readNullRequests } from "./null-request.js";
import { WriteLog } from "./write-log.js";

/**
 * Streams are written in so many groups, each at its own moment of the time between two tokens: between a server
 * whose sequences all step together and one that spreads them evenly.
 */
const PHASES = 50;
const FIRST_LEVEL = { eventsPerS: 6000, streams: 1000 };
/** Nearer than that a timer is too coarse: the loop turns until then. */
const SPIN_US = 2000;

export interface NullServer {
  readonly url: string;
  /** May be called twice. */
  close(): Promise<void>;
}

interface Stream {
  readonly socket: Socket;
  readonly phase: number;
  user: number;
  /** Of the answer's first token. */
  ordinal: number;
  /** Tokens that were written; TOKENS_PER_ANSWER while it waits for a request. */
  written: number;
}

/**
 * The cheapest server that a client can be tried on: events that were put together before, at a set rate over all streams
 * that are open, each with a stamp just before its write. `GET /level?events=E&streams=S` sets the rate and forgets the
 * writes so far, `GET /writes` hands them out; every POST is answered with a stream. On loopback alone.
 */
export async function startNullServer(): Promise<NullServer> {
  const steps = new StepLoop();
  const sockets = new Set<Socket>();
  const server = createServer({ noDelay: true }, (socket) => {
    const stream = steps.join(socket);
    sockets.add(socket);
    socket.on("error", () => undefined);
    socket.on("close", () => {
      sockets.delete(socket);
      steps.leave(stream);
    });
    readNullRequests(socket, (request) => answer(request, stream, steps));
  });
  const port = await listen(server);
  let closing: Promise<void> | undefined;
  return {
    url: `http://127.0.0.1:${port}`,
    close: () => {
      closing ??= new Promise((resolve) => {
        server.close(() => resolve());
        steps.close();
        for (const socket of sockets) socket.destroy();
      });
      return closing;
    },
  };
}

function answer(request: NullRequest, stream: Stream, steps: StepLoop): void {
  if (request.kind === "generation") {
    steps.begin(stream, request);
    return;
  }
  const body = request.kind === "writes" ? steps.log.encode() : Buffer.alloc(0);
  if (request.kind === "level") steps.set(request);
  stream.socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${body.length}\r\n\r\n`);
  stream.socket.write(body);
}

/** Writes one token to every stream of a phase at each of its steps. */
class StepLoop {
  readonly log = new WriteLog();
  readonly #nowUs = systemClock().nowUs;
  readonly #answer = buildNullAnswer();
  readonly #phases = Array.from({ length: PHASES }, () => new Set<Stream>());
  #joined = 0;
  /** Sockets that have asked for an answer. */
  readonly #open = new Set<Stream>();
  #stepUs = stepUsOf(FIRST_LEVEL);
  #dueUs = 0;
  #phase = 0;
  #cancel: (() => void) | null = null;

  join(socket: Socket): Stream {
    const phase = this.#joined % PHASES;
    this.#joined += 1;
    return { socket, phase, user: 0, ordinal: 0, written: TOKENS_PER_ANSWER };
  }

  begin(stream: Stream, { user, j }: Extract<NullRequest, { kind: "generation" }>): void {
    stream.socket.write(this.#answer.head);
    this.#phases[stream.phase]?.add(stream);
    this.#open.add(stream);
    stream.user = user;
    stream.ordinal = j * TOKENS_PER_ANSWER;
    stream.written = 0;
    if (this.#cancel !== null) return;
    this.#dueUs = this.#nowUs() + this.#stepUs;
    this.#wait();
  }

  leave(stream: Stream): void {
    this.#phases[stream.phase]?.delete(stream);
    this.#open.delete(stream);
  }

  set(level: { readonly eventsPerS: number; readonly streams: number }): void {
    this.#stepUs = stepUsOf(level);
    this.#dueUs = this.#nowUs() + this.#stepUs;
    this.log.clear();
  }

  close(): void {
    this.#cancel?.();
  }

  #turn(): void {
    const nowUs = this.#nowUs();
    // One round at most: whoever has ended an answer must be heard in between. No step is left out, however late: what
    // the server could not do shows in its lag.
    for (let round = 0; round < PHASES && this.#dueUs <= nowUs; round += 1) {
      this.#step(this.#dueUs);
      this.#dueUs += this.#stepUs;
      this.#phase = (this.#phase + 1) % PHASES;
    }
    this.#wait();
  }

  #step(dueUs: number): void {
    const phase = this.#phases[this.#phase];
    // Within a group one write stands behind the other, as at a server whose sequences step together: that is no lag.
    const beganUs = this.#nowUs();
    this.log.addStep(beganUs, beganUs - dueUs);
    for (const stream of phase ?? []) {
      const bytes = this.#answer.steps[stream.written];
      if (bytes === undefined) continue;
      this.log.add(stream.user, stream.ordinal + stream.written, this.#nowUs());
      stream.written += 1;
      if (stream.written === TOKENS_PER_ANSWER) phase?.delete(stream);
      stream.socket.write(bytes);
    }
  }

  #wait(): void {
    this.#cancel = null;
    if (this.#open.size === 0) return;
    const leftUs = this.#dueUs - this.#nowUs();
    if (leftUs > SPIN_US) {
      const timer = setTimeout(() => this.#turn(), Math.floor((leftUs - SPIN_US) / 1000));
      this.#cancel = () => clearTimeout(timer);
    } else {
      const turn = setImmediate(() => this.#turn());
      this.#cancel = () => clearImmediate(turn);
    }
  }
}

/** Between the steps of two groups. */
export function stepUsOf({
  eventsPerS,
  streams,
}: {
  readonly eventsPerS: number;
  readonly streams: number;
}): number {
  return (streams * 1e6) / eventsPerS / PHASES;
}

function listen(server: Server): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ port: 0, host: "127.0.0.1", backlog: 1024 }, () => {
      const address = server.address();
      if (address === null || typeof address === "string") reject(new Error("no port"));
      else resolve(address.port);
    });
  });
}
