import { ChunkExtensions } from "./chunk-extensions.js";
import { GrowingBytes } from "./growing-bytes.js";
import { hexValue, isDigit, isLineEnds, isText, isToken } from "./http-bytes.js";
import { HttpHead, MAX_HEAD_BYTES, UNKNOWN_LENGTH } from "./http-head.js";

/**
 * `more`: the read is used up · `head`: status and content type are known · `body`: bytes `from` to `to` of the read ·
 * `complete`: the answer has ended as it said it would · `broken`: this is no HTTP, or cannot be understood.
 */
export type HttpEvent = "more" | "head" | "body" | "complete" | "broken";

const CR = 13;
const LF = 10;
const SPACE = 32;
const TAB = 9;
const COLON = 58;
const SEMICOLON = 59;

// Where in a message the next byte stands. Numbers, so that a switch over them is a jump.
const BEFORE = 0;
const START_LINE = 1;
const REASON = 2;
const START_LF = 3;
const LINE_START = 4;
const NAME = 5;
const BEFORE_VALUE = 6;
const VALUE = 7;
const VALUE_LF = 8;
const HEAD_LF = 9;
const HEAD_DONE = 10;
const BODY = 11;
const BODY_TO_CLOSE = 12;
const SIZE_START = 13;
const SIZE = 14;
const EXTENSION = 15;
const SIZE_LF = 16;
const CHUNK = 17;
const CHUNK_CR = 18;
const CHUNK_LF = 19;
const COMPLETE = 20;
const BROKEN = 21;

const START = "HTTP/x.x xxx";
const VERSION_START = 5;
const VERSION_END = 8;
/** Beyond it a size could not be counted in full. */
const MAX_CHUNK_BYTES = 2 ** 48;

/**
 * Reads the answers to requests off one connection, HTTP/1.1 (RFC 9112) and no more of it than such an answer needs,
 * and strictly: what could be read in two ways is broken. Pure: bytes are handed in by `take`, and `next` is asked what
 * they mean until it says `more`. It keeps nothing of a read but what an unfinished head needs.
 */
export class HttpParser {
  readonly head = new HttpHead();
  /** Of the body piece that `next` has just told of. */
  from = 0;
  to = 0;
  /** A byte of the answer has been read. */
  hasBegun = false;
  /** Why it is broken. */
  problem = "";
  /** It is HTTP all the same: an answer that nobody asked for. */
  isUnasked = false;

  #bytes: Uint8Array = new Uint8Array(0);
  #at = 0;
  #end = 0;
  #state = BEFORE;
  /** The final head has been told of: further header lines are trailers. */
  #isPastHead = false;
  /** Bytes of the body, or of the chunk, that are still to come. */
  #left = 0;
  /** Of the head so far. */
  #headBytes = 0;
  /** The name of a header and then its value; of a status line the part with the numbers. */
  readonly #line = new GrowingBytes();
  /** 0 until a name has been read. */
  #nameBytes = 0;
  readonly #extensions = new ChunkExtensions();

  /** After `complete`: bytes follow that nobody asked for. Line ends are none: some servers close a body with one. */
  get hasLeftover(): boolean {
    return !isLineEnds(this.#bytes, this.#at, this.#end);
  }

  /** Makes it ready for the answer to another request. */
  reset(): void {
    this.#begin();
    this.#at = 0;
    this.#end = 0;
    this.hasBegun = false;
    this.problem = "";
    this.isUnasked = false;
  }

  /** Bytes `from` to `to` are what was read; they must stay as they are until `next` says `more`. */
  take(bytes: Uint8Array, from: number, to: number): void {
    this.#bytes = bytes;
    this.#at = from;
    this.#end = to;
  }

  next(): HttpEvent {
    while (this.#at < this.#end) {
      switch (this.#state) {
        case CHUNK:
        case BODY:
        case BODY_TO_CLOSE:
          return this.#piece();
        case COMPLETE:
          return "complete";
        case BROKEN:
          return "broken";
        default: {
          const event = this.#state === HEAD_DONE ? this.#afterHead() : this.#framing();
          if (event !== "more") return event;
        }
      }
    }
    return this.#state === HEAD_DONE ? this.#afterHead() : "more";
  }

  /** The server has closed its side: the end of a body that says no other. */
  end(): "complete" | "broken" {
    if (this.#state === BODY_TO_CLOSE) {
      this.#state = COMPLETE;
      return "complete";
    }
    this.problem = this.hasBegun ? "closed by the server within the answer" : "closed by the server";
    return "broken";
  }

  #begin(): void {
    this.head.reset();
    this.#state = BEFORE;
    this.#isPastHead = false;
    this.#headBytes = 0;
    this.#line.clear();
    this.#nameBytes = 0;
  }

  #piece(): HttpEvent {
    this.from = this.#at;
    if (this.#state === BODY_TO_CLOSE) {
      this.#at = this.#end;
    } else {
      const bytes = Math.min(this.#left, this.#end - this.#at);
      this.#at += bytes;
      this.#left -= bytes;
      if (this.#left === 0) this.#state = this.#state === CHUNK ? CHUNK_CR : HEAD_DONE;
    }
    this.to = this.#at;
    return "body";
  }

  /** After the blank line of a head, and after a body of known length. */
  #afterHead(): HttpEvent {
    const { head } = this;
    if (this.#isPastHead) return this.#complete();
    this.#isPastHead = true;
    // undici takes both for a fault too, and the outcome must not depend on the reader.
    this.isUnasked = head.isUnasked;
    if (this.isUnasked) return this.#break(`status ${head.status}, which nobody asked for`);
    if (head.status < 200) {
      this.#begin();
      return "more";
    }
    this.#left = head.length;
    if (head.hasNoBody || head.length === 0) this.#state = HEAD_DONE;
    else if (head.isChunked) this.#state = SIZE_START;
    else this.#state = head.length === UNKNOWN_LENGTH ? BODY_TO_CLOSE : BODY;
    return "head";
  }

  #complete(): "complete" {
    this.#state = COMPLETE;
    return "complete";
  }

  /** All bytes of heads and of chunks' frames, one by one. */
  #framing(): HttpEvent {
    while (this.#at < this.#end) {
      const byte = this.#bytes[this.#at] ?? 0;
      this.#at++;
      switch (this.#state) {
        case CHUNK_CR:
          if (byte !== CR) return this.#break("no line end after a chunk");
          this.#state = CHUNK_LF;
          break;
        case CHUNK_LF:
          if (byte !== LF) return this.#break("no line end after a chunk");
          this.#state = SIZE_START;
          break;
        case SIZE_START:
        case SIZE:
          if (!this.#sizeByte(byte)) return this.#break("a chunk size that is none");
          break;
        case SIZE_LF:
          if (byte !== LF) return this.#break("no line end after a chunk size");
          this.#headBytes = 0;
          this.#state = this.#left === 0 ? LINE_START : CHUNK;
          if (this.#left > 0) return "more";
          break;
        case EXTENSION: {
          const verdict = this.#extensions.take(byte);
          if (verdict === "bad") return this.#break("a chunk extension that is none");
          if (verdict === "end") this.#state = SIZE_LF;
          break;
        }
        default:
          if (!this.#headByte(byte)) return this.#break();
          if (this.#state === HEAD_DONE) return "more";
      }
    }
    return "more";
  }

  #sizeByte(byte: number): boolean {
    const digit = hexValue(byte);
    if (digit >= 0) {
      this.#left = this.#state === SIZE_START ? digit : this.#left * 16 + digit;
      this.#state = SIZE;
      return this.#left <= MAX_CHUNK_BYTES;
    }
    if (this.#state === SIZE_START) return false;
    if (byte === CR) this.#state = SIZE_LF;
    else if (byte === SEMICOLON) this.#state = EXTENSION;
    else return false;
    this.#extensions.reset();
    return true;
  }

  #headByte(byte: number): boolean {
    switch (this.#state) {
      case BEFORE:
        if (byte === CR || byte === LF) return true;
        this.hasBegun = true;
        this.#state = START_LINE;
        return this.#startByte(byte);
      case START_LINE:
        return this.#startByte(byte);
      case REASON:
        this.problem = "a status line without an end";
        if (byte === CR) this.#state = START_LF;
        return byte !== LF && this.#counts();
      case START_LF:
        this.problem = "a status line with half an end";
        this.#state = LINE_START;
        this.#headBytes = 0;
        // undici takes a second CR for the LF here, and here alone.
        return byte === LF || byte === CR;
      case LINE_START:
        // A value ends where the next line does not go on with it; nobody but old servers does that, and it is refused.
        if (this.#nameBytes > 0 && !this.#header()) return false;
        this.#line.clear();
        if (byte === CR) {
          this.#state = HEAD_LF;
          return true;
        }
        this.#state = NAME;
        return this.#nameByte(byte);
      case NAME:
        return this.#nameByte(byte);
      case BEFORE_VALUE:
        if (byte === SPACE || byte === TAB) return true;
        this.#state = VALUE;
        return this.#valueByte(byte);
      case VALUE:
        return this.#valueByte(byte);
      case VALUE_LF:
        this.problem = "a header with half a line end";
        this.#state = LINE_START;
        return byte === LF;
      default:
        this.problem = "a head with half an end";
        this.#state = HEAD_DONE;
        return byte === LF;
    }
  }

  #startByte(byte: number): boolean {
    this.problem = "no HTTP status line";
    const at = this.#line.length;
    if (at === START.length) {
      this.#state = byte === CR ? START_LF : REASON;
      return byte === CR || byte === SPACE;
    }
    const wanted = START.charCodeAt(at);
    this.#line.appendByte(byte);
    if (wanted !== 0x78 ? byte !== wanted : !isDigit(byte)) return false;
    if (at === VERSION_END - 1)
      return this.#holds(this.head.version(this.#line.bytes.toString("latin1", VERSION_START, VERSION_END)));
    if (at === START.length - 1)
      this.head.status = Number(this.#line.bytes.toString("latin1", VERSION_END, START.length));
    return true;
  }

  #nameByte(byte: number): boolean {
    if (byte === COLON && this.#line.length > 0) {
      this.#nameBytes = this.#line.length;
      this.#state = BEFORE_VALUE;
      if (this.#isPastHead) return true;
      return this.#holds(
        this.head.field(this.#line.bytes.toString("latin1", 0, this.#nameBytes).toLowerCase()),
      );
    }
    this.problem = "a header name that is none";
    return isToken(byte) && this.#keep(byte);
  }

  #valueByte(byte: number): boolean {
    if (byte === CR) {
      this.#state = VALUE_LF;
      return true;
    }
    this.problem = "a header value that is none";
    if (this.head.wantsDigits && !isDigit(byte) && byte !== SPACE) return false;
    return isText(byte) && this.#keep(byte);
  }

  #keep(byte: number): boolean {
    if (!this.#counts()) return false;
    this.#line.appendByte(byte);
    return true;
  }

  #counts(): boolean {
    if (++this.#headBytes < MAX_HEAD_BYTES) return true;
    this.problem = `a head of more than ${MAX_HEAD_BYTES} bytes`;
    return false;
  }

  #header(): boolean {
    const from = this.#nameBytes;
    this.#nameBytes = 0;
    if (this.#isPastHead) return true;
    return this.#holds(this.head.value(this.#line.bytes.toString("latin1", from, this.#line.length)));
  }

  #holds(problem: string | null): boolean {
    if (problem !== null) this.problem = problem;
    return problem === null;
  }

  #break(problem = this.problem): "broken" {
    this.problem = problem;
    this.#state = BROKEN;
    return "broken";
  }
}
