import type { Socket } from "node:net";
import type { Clock, TestPlan } from "@tokenstorm/core";
import type { Endpoint } from "./endpoint.js";
import type { Answer, Exchange } from "./exchange.js";
import type { Reads } from "./read-stamps.js";
import type { PreparedRequest, RequestSink } from "./target.js";

/** vLLM closes an idle connection after 5 s without a word; a socket older than this is not used again. */
export const IDLE_SOCKET_MS = 3000;
/** Taken off what a server promises in its Keep-Alive header. */
export const KEEP_ALIVE_MARGIN_MS = 1000;

/** What all channels of a target share. */
export interface Wiring {
  readonly clock: Pick<Clock, "nowUs" | "at">;
  readonly reader: Reader;
  /** Every socket that is open, or opening. */
  readonly sockets: Set<Socket>;
  readonly timeouts: TestPlan["timeouts"];
}

export interface ChannelOptions {
  readonly wiring: Wiring;
  readonly endpoint: Endpoint;
  /** With the endpoint's base path. */
  readonly path: string;
  /** Names and values in turn, without the request id. */
  readonly headers: readonly string[];
}

/**
 * One slot's own way to one URL: a single connection and no pipelining, so that no request ever queues behind another.
 * The socket lives from request to request, at most `IDLE_SOCKET_MS` in idleness.
 */
export interface Channel {
  /** What is known of the answer to the last request. */
  readonly answer: Answer;
  send(request: PreparedRequest, sink: RequestSink): { cancel(): void };
  /** Cancels a request in flight and ends the socket. */
  close(): void;
}

/** A way to read answers off sockets. One for each target. */
export interface Reader {
  readonly name: "undici" | "raw";
  readonly reads: Reads;
  open(options: ChannelOptions): Channel;
}

/** Cancels its own request only, also when the slot has long carried others. */
export class Ticket {
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
