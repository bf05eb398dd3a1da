import type { Socket } from "node:net";
import { type HttpRequest, type ParserLimits, RequestParser } from "./request-parser.js";
import { responseHead } from "./response.js";

/** Beyond this, a client that sends on while its answer is under way is not read further. */
const MAX_PIPELINED_BYTES = 1 << 20;

/** What a request handler sees of its connection: one request, one answer. */
export interface Exchange {
  readonly request: HttpRequest;
  /** Monotonic stamp of the read that brought the last byte of the request. */
  readonly receivedUs: number;
  /** Whether the socket has taken in less than it was given; tokens are merged until it has. */
  readonly isBackedUp: boolean;
  /** Hands bytes (one per character) to the socket at once. */
  write(bytes: string): void;
  /** The answer is complete: the connection waits for the next request, or is closed. */
  done(): void;
  /** Breaks the connection off; `reset` sends RST instead of FIN. */
  destroy(reset: boolean): void;
  /** Called at most once, when the client goes away before `done`. */
  onDisconnect(listener: () => void): void;
  /** Called when a backed-up socket has taken in everything. */
  onDrain(listener: () => void): void;
}

export interface ConnectionOptions {
  readonly socket: Socket;
  readonly limits: ParserLimits;
  /** An idle connection is closed without a word after this long; 0 never. */
  readonly keepAliveMs: number;
  readonly nowUs: () => number;
  readonly handle: (exchange: Exchange) => void;
}

/** One client connection: requests are answered one after the other, also when they are pipelined. */
export class HttpConnection {
  readonly #options: ConnectionOptions;
  readonly #parser: RequestParser;
  #current: ConnectionExchange | undefined;
  #lastReadUs = 0;
  #idleTimer: NodeJS.Timeout | undefined;
  #isClosed = false;
  #saidContinue = false;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    this.#parser = new RequestParser(options.limits);
    const { socket } = options;
    socket.on("data", (bytes) => this.#onData(bytes));
    socket.on("drain", () => this.#current?.drained());
    // A client that closes its side has left: the server aborts the request, as uvicorn does.
    socket.on("end", () => this.#onGone());
    socket.on("close", () => this.#onGone());
    socket.on("error", () => this.#onGone());
  }

  /** No request is under way, and none has begun to come. */
  get isIdle(): boolean {
    return this.#current === undefined && this.#parser.bufferedBytes === 0;
  }

  /** Drops the connection, whatever is under way. */
  close(): void {
    this.#onGone();
    this.#options.socket.destroy();
  }

  #onData(bytes: Buffer): void {
    this.#lastReadUs = this.#options.nowUs();
    clearTimeout(this.#idleTimer);
    this.#parser.feed(bytes);
    this.#advance();
    if (this.#current !== undefined && this.#parser.bufferedBytes > MAX_PIPELINED_BYTES) {
      this.#options.socket.pause();
    }
  }

  #advance(): void {
    while (this.#current === undefined && !this.#isClosed) {
      const result = this.#parser.next();
      if (result.kind === "incomplete") {
        if (result.expectsContinue) this.#sayContinue();
        return;
      }
      if (result.kind === "error") {
        this.#refuse(result.status, result.message);
        return;
      }
      this.#saidContinue = false;
      this.#serve(result.request);
    }
  }

  #serve(request: HttpRequest): void {
    const { socket, handle } = this.#options;
    const exchange = new ConnectionExchange(socket, request, this.#lastReadUs, () => {
      this.#current = undefined;
      if (!request.keepAlive) {
        this.#isClosed = true;
        socket.end();
        return;
      }
      this.#startIdleTimer();
      if (socket.isPaused()) socket.resume();
      if (this.#parser.bufferedBytes > 0) setImmediate(() => this.#advance());
    });
    this.#current = exchange;
    handle(exchange);
  }

  #sayContinue(): void {
    if (this.#saidContinue) return;
    this.#saidContinue = true;
    this.#options.socket.write("HTTP/1.1 100 Continue\r\n\r\n", "latin1");
  }

  #refuse(status: number, message: string): void {
    this.#isClosed = true;
    const { socket } = this.#options;
    const headers = { "content-type": "text/plain; charset=utf-8", "content-length": message.length };
    socket.end(responseHead(status, headers, false) + message, "latin1");
  }

  #startIdleTimer(): void {
    const { keepAliveMs, socket } = this.#options;
    if (keepAliveMs <= 0) return;
    clearTimeout(this.#idleTimer);
    this.#idleTimer = setTimeout(() => {
      if (this.#current === undefined) socket.destroySoon();
    }, keepAliveMs);
    this.#idleTimer.unref();
  }

  #onGone(): void {
    this.#isClosed = true;
    clearTimeout(this.#idleTimer);
    const exchange = this.#current;
    this.#current = undefined;
    exchange?.disconnected();
  }
}

class ConnectionExchange implements Exchange {
  readonly request: HttpRequest;
  readonly receivedUs: number;
  readonly #socket: Socket;
  readonly #onDone: () => void;
  #state: "open" | "done" | "gone" = "open";
  #disconnectListener: (() => void) | undefined;
  #drainListener: (() => void) | undefined;

  constructor(socket: Socket, request: HttpRequest, receivedUs: number, onDone: () => void) {
    this.#socket = socket;
    this.request = request;
    this.receivedUs = receivedUs;
    this.#onDone = onDone;
  }

  get isBackedUp(): boolean {
    return this.#socket.writableNeedDrain;
  }

  write(bytes: string): void {
    if (this.#state === "open") this.#socket.write(bytes, "latin1");
  }

  done(): void {
    if (this.#state !== "open") return;
    this.#state = "done";
    this.#onDone();
  }

  destroy(reset: boolean): void {
    if (this.#state !== "open") return;
    this.#state = "gone";
    // Node 20 leaks the handle of a socket that is reset while it shuts down, and then the process cannot exit.
    if (reset && !this.#socket.writableEnded) this.#socket.resetAndDestroy();
    else this.#socket.destroySoon();
  }

  onDisconnect(listener: () => void): void {
    this.#disconnectListener = listener;
  }

  onDrain(listener: () => void): void {
    this.#drainListener = listener;
  }

  drained(): void {
    if (this.#state === "open") this.#drainListener?.();
  }

  disconnected(): void {
    if (this.#state !== "open") return;
    this.#state = "gone";
    this.#disconnectListener?.();
  }
}
