import type { Socket } from "node:net";
import type { Dispatcher } from "undici";
import { ABANDONED, headerValue, isBug, isNotHttp, throwLater } from "./client-errors.js";
import type { Exchange } from "./exchange.js";

/** What the handler needs to know of the connection it serves. */
export interface UndiciSocket {
  /** The socket in use; null while there is none. */
  readonly socket: Socket | null;
  /** Notes that the socket carries one request more, and says whether it has carried one before. */
  useSocket(): boolean;
  /** See Carrier.discard. */
  discard(): void;
}

class UnaskedAnswer extends Error {
  readonly code = "TS_UNASKED";
}

/**
 * Tells the exchange what undici says. It is a handler of the older form: only that is told when the last byte was
 * written (`onRequestSent`), and gets headers as bytes.
 */
export class UndiciHandler implements Dispatcher.DispatchHandler {
  readonly #exchange: Exchange;
  readonly #connection: UndiciSocket;
  #abort: ((error: Error) => void) | null = null;

  constructor(exchange: Exchange, connection: UndiciSocket) {
    this.#exchange = exchange;
    this.#connection = connection;
  }

  /** Ends the request in undici's books as well, where one is there. */
  abandon(): void {
    const abort = this.#abort;
    this.#abort = null;
    abort?.(ABANDONED);
  }

  onConnect(abort: (error?: Error) => void): void {
    this.#abort = abort;
    this.#exchange.started(this.#connection.useSocket());
  }

  /** Called right after the call that gave head and body to the socket in one piece. */
  onRequestSent(): void {
    const { socket } = this.#connection;
    const { serial } = this.#exchange;
    const isFlushed = socket === null || socket.writableLength === 0 || !socket.writableNeedDrain;
    this.#exchange.written(isFlushed);
    // The kernel did not take all of a large body: its last byte goes when the socket has drained.
    if (!isFlushed) socket.once("drain", () => this.#exchange.flushed(serial));
  }

  onResponseStarted(): void {
    this.#exchange.answering();
  }

  onHeaders(status: number, rawHeaders: Buffer[]): boolean {
    if (status >= 200) this.#exchange.head(status, headerValue(rawHeaders, "content-type"));
    if (status === 101) this.#leave(new UnaskedAnswer("status 101, which nobody asked for"));
    return true;
  }

  onData(chunk: Buffer): boolean {
    this.#exchange.body(chunk);
    return true;
  }

  onComplete(): void {
    this.#abort = null;
    // undici takes a reset for the end of a body that closing was to end: what came may be any part of it.
    const reset = this.#connection.socket?.errored ?? null;
    if (reset === null) this.#exchange.complete();
    else this.#exchange.broken(reset, false);
  }

  onError(error: Error): void {
    this.#abort = null;
    if (error === ABANDONED) return;
    if (isBug(error)) throwLater(error);
    else this.#exchange.broken(error, isNotHttp(error));
  }

  /** undici would take a 101 without an Upgrade header for a mistake of its own, and the process would end. */
  #leave(error: UnaskedAnswer): void {
    this.#connection.discard();
    this.#exchange.broken(error, false);
  }
}
