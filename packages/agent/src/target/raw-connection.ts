import type { Socket } from "node:net";
import type { Cancel, Clock } from "@tokenstorm/core";
import { isLineEnds } from "../stream/http-bytes.js";
import { HttpParser } from "../stream/http-parser.js";
import {
  type Channel,
  type ChannelOptions,
  IDLE_SOCKET_MS,
  KEEP_ALIVE_MARGIN_MS,
  type Reader,
  Ticket,
} from "./channel.js";
import { type Answer, type Carrier, Exchange } from "./exchange.js";
import { type Idler, IdleSweep } from "./idle-sweep.js";
import { openSocket } from "./open-socket.js";
import { RawReads, type ReadOwner } from "./raw-reads.js";
import { RequestHead } from "./request-head.js";
import type { PreparedRequest, RequestSink } from "./target.js";

/** The reader for many events: sockets read into one buffer, and a parser that knows only what such answers need. */
export function createRawReader(clock: Pick<Clock, "nowUs" | "at">): Reader {
  const reads = new RawReads(clock);
  const idle = new IdleSweep(clock);
  return { name: "raw", reads, open: (options) => new RawConnection(options, { reads, idle }) };
}

/** Says why nothing more came. Has a `code`, as all errors that are not bugs here. */
class AnswerError extends Error {
  readonly code = "TS_ANSWER";
}

interface Shared {
  readonly reads: RawReads;
  readonly idle: IdleSweep;
}

class RawConnection implements Channel, Carrier, Idler, ReadOwner {
  readonly #options: ChannelOptions;
  readonly #shared: Shared;
  readonly #exchange: Exchange;
  readonly #head: RequestHead;
  readonly #parser = new HttpParser();
  #cancelOpening: Cancel | null = null;
  #socket: Socket | null = null;
  #socketUses = 0;
  /** A request is on the socket, or its answer. */
  #isBusy = false;
  /** Reads of the socket that are not understood yet, and those of them made before the request was written. */
  #keptReads = 0;
  #earlierReads = 0;
  #idleSinceUs = 0;
  #idleLimitUs = 0;

  constructor(options: ChannelOptions, shared: Shared) {
    const { clock, timeouts } = options.wiring;
    this.#options = options;
    this.#shared = shared;
    this.#head = new RequestHead(options);
    this.#exchange = new Exchange({ carrier: this, clock, reads: shared.reads, timeouts });
  }

  get answer(): Answer {
    return this.#exchange.answer;
  }

  send(request: PreparedRequest, sink: RequestSink): { cancel(): void } {
    return new Ticket(this.#exchange, this.#exchange.begin(request, sink));
  }

  dispatch(request: PreparedRequest): void {
    this.#shared.reads.settle();
    if (this.#isIdleTooLong(this.#options.wiring.clock.nowUs())) this.discard();
    if (this.#socket === null) this.#open(request);
    else this.#write(this.#socket, request);
  }

  released(tUs: number): void {
    this.#isBusy = false;
    if (this.#socket === null) return;
    this.#idleSinceUs = tUs;
    this.#shared.idle.watch(this);
  }

  discard(): void {
    this.#cancelOpening?.();
    this.#cancelOpening = null;
    const socket = this.#socket;
    this.#socket = null;
    socket?.destroy();
  }

  close(): void {
    this.#exchange.close();
    this.#shared.idle.forget(this);
    this.discard();
  }

  dropIdle(nowUs: number): boolean {
    this.#shared.reads.settle();
    if (this.#isIdleTooLong(nowUs)) this.discard();
    return this.#socket !== null && !this.#isBusy;
  }

  #isIdleTooLong(nowUs: number): boolean {
    if (this.#socket === null || this.#isBusy || this.#socketUses === 0) return false;
    return nowUs - this.#idleSinceUs > this.#idleLimitUs;
  }

  #open(request: PreparedRequest): void {
    const { endpoint, wiring } = this.#options;
    const { clock, sockets } = wiring;
    const startedUs = clock.nowUs();
    // A name that may not be connected to is refused at once, before there is anything to cancel.
    let isOver = false;
    const cancel = openSocket(
      {
        endpoint,
        clock,
        sockets,
        limitUs: wiring.timeouts.connectMs * 1000,
        onread: { buffer: this.#shared.reads.buffer, callback: (length) => this.#onRead(length) },
      },
      (error, socket) => {
        isOver = true;
        this.#cancelOpening = null;
        if (socket === null) {
          this.#exchange.broken(error ?? new AnswerError("no socket"), false);
          return;
        }
        this.#adopt(socket);
        const tUs = clock.nowUs();
        this.#exchange.connected(tUs, tUs - startedUs);
        // Whoever heard of the connection may have cancelled.
        if (this.#socket === socket) this.#write(socket, request);
      },
    );
    if (!isOver) this.#cancelOpening = cancel;
  }

  #adopt(socket: Socket): void {
    this.#socket = socket;
    this.#socketUses = 0;
    this.#idleLimitUs = IDLE_SOCKET_MS * 1000;
    socket.on("error", (error) => this.#lost(socket, error));
    socket.on("end", () => this.#lost(socket, null));
    socket.on("close", () => this.#lost(socket, new AnswerError("the connection was closed")));
  }

  #write(socket: Socket, request: PreparedRequest): void {
    this.#isBusy = true;
    this.#earlierReads = this.#keptReads;
    this.#parser.reset();
    this.#exchange.started(this.#socketUses++ > 0);
    const { serial } = this.#exchange;
    // A write that failed is heard of as an error of the socket.
    socket.write(this.#head.message(request), (error) => {
      if (!error) this.#exchange.flushed(serial);
    });
    this.#exchange.written(this.#isWithKernel(socket));
  }

  /**
   * Whether the kernel has all of what was just written. A plain socket says so. TLS says nothing before the next turn of
   * the event loop, though what is small is with the kernel when the call returns: to stamp it later would make the
   * target look faster.
   */
  #isWithKernel(socket: Socket): boolean {
    if (socket.writableLength === 0) return true;
    return this.#options.endpoint.tls !== null && !socket.writableNeedDrain;
  }

  #onRead(length: number): boolean {
    // What still comes on a socket that was given up. (A read of one that is being opened cannot be.)
    if (this.#socket === null) return true;
    this.#keptReads++;
    this.#shared.reads.made(this, this.#socket, length);
    return true;
  }

  understand(socket: Socket, bytes: Buffer, from: number, to: number): void {
    this.#keptReads--;
    const isEarlier = this.#earlierReads > 0;
    if (isEarlier) this.#earlierReads--;
    // Given up since it was read.
    if (this.#socket !== socket) return;
    if (isEarlier) {
      this.#beforeRequest(bytes, from, to);
      return;
    }
    const parser = this.#parser;
    parser.take(bytes, from, to);
    if (!this.#isBusy) {
      // Nobody asked: the next answer could not be told from it.
      if (parser.hasLeftover) this.discard();
      return;
    }
    const hadBegun = parser.hasBegun;
    for (;;) {
      const event = parser.next();
      if (!hadBegun && parser.hasBegun) this.#exchange.answering();
      switch (event) {
        case "more":
          return;
        case "head":
          this.#exchange.head(parser.head.status, parser.head.contentType);
          break;
        case "body":
          this.#exchange.body(bytes.subarray(parser.from, parser.to));
          break;
        case "complete":
          this.#complete(socket);
          return;
        case "broken":
          this.discard();
          this.#exchange.broken(new AnswerError(parser.problem), !parser.isUnasked);
          return;
      }
      // Given up from within: whatever is left of the read belongs to nobody.
      if (this.#socket !== socket) return;
    }
  }

  /** It was read before the request in hand was written, so that it cannot be of its answer. */
  #beforeRequest(bytes: Buffer, from: number, to: number): void {
    if (isLineEnds(bytes, from, to)) return;
    this.discard();
    this.#exchange.broken(new AnswerError("bytes that nobody asked for"), false);
  }

  #complete(socket: Socket): void {
    const { head, hasLeftover } = this.#parser;
    const promisedMs = head.keepAliveMs === null ? IDLE_SOCKET_MS : head.keepAliveMs - KEEP_ALIVE_MARGIN_MS;
    this.#idleLimitUs = Math.min(promisedMs, IDLE_SOCKET_MS) * 1000;
    const isSpoilt = hasLeftover || socket.writableLength > 0;
    if (!head.keepsConnection || isSpoilt || promisedMs <= 0) this.discard();
    this.#exchange.complete();
  }

  /** The socket has ended, by an error or (null) by the server's closing its side. */
  #lost(socket: Socket, error: Error | null): void {
    this.#shared.reads.settle();
    if (this.#socket !== socket) return;
    this.discard();
    if (!this.#isBusy) return;
    if (error !== null) this.#exchange.broken(error, false);
    else if (this.#parser.end() === "complete") this.#exchange.complete();
    else this.#exchange.broken(new AnswerError(this.#parser.problem), false);
  }
}
