import type { Socket } from "node:net";
import type { Cancel, Clock, TestPlan } from "@tokenstorm/core";
import { Client } from "undici";
import type { Endpoint } from "./endpoint.js";
import { type Answer, type Carrier, Exchange } from "./exchange.js";
import { openSocket } from "./open-socket.js";
import type { ReadStamps } from "./read-stamps.js";
import type { PreparedRequest, RequestSink } from "./target.js";

/** vLLM closes an idle connection after 5 s without a word; a socket older than this is not used again. */
export const IDLE_SOCKET_MS = 3000;
/** Taken off what a server promises in its Keep-Alive header. */
const KEEP_ALIVE_MARGIN_MS = 1000;

/** What all connections of a target share. */
export interface Wiring {
  readonly clock: Pick<Clock, "nowUs" | "at">;
  readonly reads: ReadStamps;
  /** Every socket that is open, or opening. */
  readonly sockets: Set<Socket>;
  readonly timeouts: TestPlan["timeouts"];
}

export interface ConnectionOptions {
  readonly wiring: Wiring;
  readonly endpoint: Endpoint;
  /** With the endpoint's base path. */
  readonly path: string;
  /** Names and values in turn, without the request id. */
  readonly headers: readonly string[];
}

/**
 * One slot's own way to one URL: a client with a single connection and no pipelining, so that no request ever queues
 * behind another. The socket lives from request to request, at most `IDLE_SOCKET_MS` in idleness.
 */
export class Connection implements Carrier {
  readonly #options: ConnectionOptions;
  readonly #exchange: Exchange;
  readonly #headers: string[];
  #client: Client | null = null;
  #cancelOpening: Cancel | null = null;
  #socket: Socket | null = null;
  #socketUses = 0;
  #idleSinceUs = 0;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    this.#headers = [...options.headers, "x-request-id", ""];
    const { clock, reads, timeouts } = options.wiring;
    this.#exchange = new Exchange({ carrier: this, clock, reads, timeouts });
  }

  get answer(): Answer {
    return this.#exchange.answer;
  }

  get socket(): Socket | null {
    return this.#socket;
  }

  send(request: PreparedRequest, sink: RequestSink): { cancel(): void } {
    return new Ticket(this.#exchange, this.#exchange.begin(request, sink));
  }

  dispatch(request: PreparedRequest): void {
    if (this.#isIdleTooLong()) this.discard();
    this.#headers[this.#headers.length - 1] = request.id;
    this.#client ??= this.#createClient();
    this.#client.dispatch(
      { method: "POST", path: this.#options.path, headers: this.#headers, body: request.body },
      this.#exchange,
    );
  }

  useSocket(): boolean {
    return this.#socketUses++ > 0;
  }

  released(tUs: number): void {
    this.#idleSinceUs = tUs;
  }

  discard(): void {
    this.#cancelOpening?.();
    this.#cancelOpening = null;
    const client = this.#client;
    this.#client = null;
    this.#socket = null;
    // Ends its socket here and now; it stays in `sockets` until it has closed.
    client?.destroy(() => undefined);
  }

  close(): void {
    this.#exchange.close();
    this.discard();
  }

  #isIdleTooLong(): boolean {
    if (this.#socket === null || this.#socket.destroyed || this.#socketUses === 0) return false;
    return this.#options.wiring.clock.nowUs() - this.#idleSinceUs > IDLE_SOCKET_MS * 1000;
  }

  #createClient(): Client {
    return new Client(this.#options.endpoint.origin, {
      pipelining: 1,
      // Deadlines are the exchange's: undici's own timers tick twice a second.
      headersTimeout: 0,
      bodyTimeout: 0,
      keepAliveTimeout: IDLE_SOCKET_MS,
      keepAliveMaxTimeout: IDLE_SOCKET_MS,
      keepAliveTimeoutThreshold: KEEP_ALIVE_MARGIN_MS,
      connect: (_, callback) => this.#open(callback),
    });
  }

  #open(callback: (...args: [null, Socket] | [Error, null]) => void): void {
    const { endpoint, wiring } = this.#options;
    const startedUs = wiring.clock.nowUs();
    const limitUs = wiring.timeouts.connectMs * 1000;
    this.#cancelOpening = openSocket(
      { endpoint, clock: wiring.clock, limitUs, sockets: wiring.sockets },
      (error, socket) => {
        this.#cancelOpening = null;
        if (socket === null) {
          callback(error ?? new Error("no socket"), null);
          return;
        }
        this.#socket = socket;
        this.#socketUses = 0;
        const tUs = wiring.clock.nowUs();
        this.#exchange.onConnected(tUs, tUs - startedUs);
        callback(null, socket);
      },
    );
  }
}

/** Cancels its own request only, also when the slot has long carried others. */
class Ticket {
  readonly #exchange: Exchange;
  readonly #serial: number;

  constructor(exchange: Exchange, serial: number) {
    this.#exchange = exchange;
    this.#serial = serial;
  }

  cancel(): void {
    this.#exchange.cancel(this.#serial);
  }
}
