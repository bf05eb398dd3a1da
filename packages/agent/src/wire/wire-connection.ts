import type { Socket } from "node:net";
import type { Cancel, Clock } from "@tokenstorm/core";
import { HttpParser } from "../stream/http-parser.js";
import type { Endpoint } from "../target/endpoint.js";
import { openSocket } from "../target/open-socket.js";
import { headersIn, type WireAnswer, type WirePiece } from "./wire-answer.js";

/** More of one answer is not kept. */
const MOST_BYTES = 64 * 1024 * 1024;

export interface WireRequest {
  readonly method: "GET" | "POST";
  /** With the base path. */
  readonly path: string;
  /** Beside host and content-length, which are written here. */
  readonly headers: Readonly<Record<string, string>>;
  /** Sent, and shown without their values. */
  readonly secretHeaders?: Readonly<Record<string, string>> | undefined;
  readonly body?: string | Uint8Array | undefined;
}

export interface WireOptions {
  /** For the whole exchange. */
  readonly limitMs: number;
  /** Hears of each piece of the body as it comes. */
  readonly onPiece?: ((bytes: Buffer) => void) | undefined;
  /** Hears when the final head has come. */
  readonly onHead?: ((status: number) => void) | undefined;
}

/** Rejects with a ConnectError. Whoever opens it closes it. */
export function openWireConnection(
  endpoint: Endpoint,
  { clock, connectMs }: { readonly clock: Clock; readonly connectMs: number },
): Promise<WireConnection> {
  return new Promise((resolve, reject) => {
    openSocket({ endpoint, clock, limitUs: connectMs * 1000, sockets: new Set() }, (error, socket) => {
      if (socket === null) reject(error ?? new Error("no socket"));
      else resolve(new WireConnection(socket, endpoint, clock));
    });
  });
}

/**
 * One connection whose exchanges are kept to the byte, read by the parser of the raw reader: evidence of what a server
 * does, not a way to load it. One exchange at a time.
 */
export class WireConnection {
  readonly #socket: Socket;
  readonly #host: string;
  readonly #clock: Clock;
  readonly #parser = new HttpParser();
  #uses = 0;
  #isOpen = true;
  #exchange: OpenExchange | null = null;

  constructor(socket: Socket, endpoint: Endpoint, clock: Clock) {
    this.#socket = socket;
    this.#host = new URL(endpoint.origin).host;
    this.#clock = clock;
    socket.on("data", (bytes: Buffer) => this.#read(bytes));
    socket.on("end", () => this.#ended());
    socket.on("error", (error) => this.#lost(error.message));
    socket.on("close", () => this.#lost("the connection was closed"));
  }

  /** The server has not closed it. */
  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Resolves however it ends; what is wrong stands in `problem`. */
  ask(request: WireRequest, options: WireOptions): Promise<WireAnswer> {
    const message = this.#message(request);
    this.#parser.reset();
    return new Promise((resolve) => {
      this.#begin(message, options, resolve);
    });
  }

  /** Hangs up; an exchange under way ends with that. May be called twice. */
  close(): void {
    this.#giveUp("closed by us");
  }

  #begin(message: Message, options: WireOptions, resolve: (answer: WireAnswer) => void): void {
    this.#exchange = {
      shown: message.shown,
      received: [],
      body: [],
      bodyBytes: 0,
      receivedBytes: 0,
      pieces: [],
      sentUs: this.#clock.nowUs(),
      headersUs: null,
      status: 0,
      isReused: this.#uses > 0,
      options,
      resolve,
      disarm: this.#clock.at(this.#clock.nowUs() + options.limitMs * 1000, () =>
        this.#giveUp(`not over within ${options.limitMs} ms`),
      ),
    };
    this.#uses += 1;
    if (this.#isOpen) this.#socket.write(message.sent);
    else this.#finish("the connection was closed before", false);
  }

  #message({ method, path, headers, secretHeaders = {}, body }: WireRequest): Message {
    const bytes = Buffer.from(body ?? "");
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    const length = method === "POST" ? `content-length: ${bytes.length}\r\n` : "";
    const head = `${method} ${path} HTTP/1.1\r\nhost: ${this.#host}\r\n${lines.join("")}${length}`;
    const secrets = Object.entries(secretHeaders);
    const withSecrets = secrets.map(([name, value]) => `${name}: ${value}\r\n`).join("");
    const hidden = secrets.map(([name]) => `${name}: ***\r\n`).join("");
    const whole = (extra: string) => Buffer.concat([Buffer.from(`${head}${extra}\r\n`, "latin1"), bytes]);
    return { sent: whole(withSecrets), shown: whole(hidden) };
  }

  #read(bytes: Buffer): void {
    const exchange = this.#exchange;
    // Nobody asked for it: the next answer could not be told from it.
    if (exchange === null) {
      this.#drop();
      return;
    }
    const tUs = this.#clock.nowUs();
    exchange.received.push(bytes);
    exchange.receivedBytes += bytes.length;
    const parser = this.#parser;
    parser.take(bytes, 0, bytes.length);
    for (;;) {
      switch (parser.next()) {
        case "more":
          if (exchange.receivedBytes > MOST_BYTES) this.#giveUp(`more than ${MOST_BYTES} bytes came`);
          return;
        case "head":
          exchange.headersUs = tUs;
          exchange.status = parser.head.status;
          exchange.options.onHead?.(exchange.status);
          break;
        case "body":
          this.#piece(exchange, bytes.subarray(parser.from, parser.to), tUs);
          break;
        case "complete":
          this.#complete(parser.hasLeftover);
          return;
        case "broken":
          this.#giveUp(`no HTTP that can be understood: ${parser.problem}`);
          return;
      }
      // Whoever heard of it may have hung up.
      if (this.#exchange !== exchange) return;
    }
  }

  #piece(exchange: OpenExchange, bytes: Buffer, tUs: number): void {
    const from = exchange.bodyBytes;
    exchange.bodyBytes += bytes.length;
    exchange.body.push(bytes);
    exchange.pieces.push({ tUs, from, to: exchange.bodyBytes });
    exchange.options.onPiece?.(bytes);
  }

  #complete(hasLeftover: boolean): void {
    const keeps = this.#parser.head.keepsConnection;
    if (hasLeftover) {
      this.#finish("bytes follow the end of the answer", false);
      this.#drop();
    } else this.#finish(null, keeps);
    if (!keeps) this.#drop();
  }

  #ended(): void {
    const wasUnderWay = this.#exchange !== null;
    if (wasUnderWay) this.#finish(this.#parser.end() === "complete" ? null : this.#parser.problem, false);
    this.#drop();
  }

  #lost(why: string): void {
    this.#finish(why, false);
    this.#drop();
  }

  #giveUp(why: string): void {
    this.#finish(why, false);
    this.#drop();
  }

  #drop(): void {
    this.#isOpen = false;
    this.#socket.destroy();
  }

  #finish(problem: string | null, keepsConnection: boolean): void {
    const exchange = this.#exchange;
    if (exchange === null) return;
    this.#exchange = null;
    exchange.disarm();
    const received = Buffer.concat(exchange.received);
    exchange.resolve({
      request: exchange.shown,
      received,
      status: exchange.status,
      headers: headersIn(received),
      body: Buffer.concat(exchange.body),
      pieces: exchange.pieces,
      sentUs: exchange.sentUs,
      headersUs: exchange.headersUs,
      endUs: this.#clock.nowUs(),
      isReused: exchange.isReused,
      keepsConnection,
      problem,
    });
  }
}

interface Message {
  readonly sent: Buffer;
  /** The same without the values of secret headers. */
  readonly shown: Buffer;
}

interface OpenExchange {
  readonly shown: Buffer;
  readonly received: Buffer[];
  readonly body: Buffer[];
  bodyBytes: number;
  receivedBytes: number;
  readonly pieces: WirePiece[];
  readonly sentUs: number;
  headersUs: number | null;
  status: number;
  readonly isReused: boolean;
  readonly options: WireOptions;
  readonly resolve: (answer: WireAnswer) => void;
  readonly disarm: Cancel;
}
