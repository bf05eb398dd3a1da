import type { Socket } from "node:net";
import type { Cancel, Clock } from "@tokenstorm/core";
import { Client } from "undici";
import { MAX_HEAD_BYTES } from "../stream/http-head.js";
import {
  type Channel,
  type ChannelOptions,
  IDLE_SOCKET_MS,
  KEEP_ALIVE_MARGIN_MS,
  type Reader,
  Ticket,
} from "./channel.js";
import { type Answer, type Carrier, Exchange } from "./exchange.js";
import { openSocket } from "./open-socket.js";
import { ReadStamps } from "./read-stamps.js";
import type { PreparedRequest, RequestSink } from "./target.js";
import { UndiciHandler } from "./undici-handler.js";

/** The default reader: undici's parser and connections, one client for each slot and URL. */
export function createUndiciReader(clock: Pick<Clock, "nowUs">): Reader {
  return {
    name: "undici",
    reads: new ReadStamps(clock),
    open: (options) => new UndiciConnection(options),
  };
}

class UndiciConnection implements Channel, Carrier {
  readonly #options: ChannelOptions;
  readonly #exchange: Exchange;
  readonly #handler: UndiciHandler;
  readonly #headers: string[];
  #client: Client | null = null;
  #cancelOpening: Cancel | null = null;
  #socket: Socket | null = null;
  #socketUses = 0;
  #idleSinceUs = 0;

  constructor(options: ChannelOptions) {
    this.#options = options;
    this.#headers = [...options.headers, "x-request-id", ""];
    const { clock, reader, timeouts } = options.wiring;
    this.#exchange = new Exchange({ carrier: this, clock, reads: reader.reads, timeouts });
    this.#handler = new UndiciHandler(this.#exchange, this);
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
      this.#handler,
    );
  }

  useSocket(): boolean {
    return this.#socketUses++ > 0;
  }

  released(tUs: number): void {
    this.#idleSinceUs = tUs;
  }

  discard(): void {
    this.#handler.abandon();
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
      maxHeaderSize: MAX_HEAD_BYTES,
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
          // What the end of its request sets off may come within it: not to a client that is still at that end.
          this.#client = null;
          callback(error ?? new Error("no socket"), null);
          return;
        }
        this.#socket = socket;
        this.#socketUses = 0;
        const tUs = wiring.clock.nowUs();
        this.#exchange.connected(tUs, tUs - startedUs);
        callback(null, socket);
      },
    );
  }
}
