import { GrowingBytes } from "./growing-bytes.js";

/** Limit of one event: far beyond any honest one, small enough for a thousand streams. */
export const MAX_EVENT_BYTES = 8 * 1024 * 1024;

const LF = 10;
const CR = 13;
const SPACE = 32;
const COLON = 58;

/** `stopped`: the listener had enough; `too-long`: an event or line went over the limit. Nothing more may be pushed. */
export type SseVerdict = "ok" | "stopped" | "too-long";

/** Takes the data of one event, its lines joined by LF: UTF-8, good until the call returns. False ends the parsing. */
export interface SseListener {
  onFrame(bytes: Buffer, from: number, to: number): boolean;
}

/**
 * Reads server-sent events (WHATWG HTML, section 9.2.6) out of bytes cut anywhere. Only `data` fields are kept: event
 * names, ids, retry times and comments mean nothing to this API. An event without its closing empty line is no event.
 *
 * Nearly every event is one line that lies whole in one chunk: it costs two native searches, and nothing is copied.
 */
export class SseParser {
  readonly #listener: SseListener;
  readonly #maxEventBytes: number;
  /** The line that the last chunk ended in. */
  readonly #line = new GrowingBytes();
  /** Data lines of the event that is not closed yet. */
  readonly #data = new GrowingBytes();
  #hasData = false;
  #isFirstLine = true;
  /** The last chunk ended in CR: an LF at the start of the next belongs to it. */
  #skipsLf = false;

  constructor(listener: SseListener, maxEventBytes = MAX_EVENT_BYTES) {
    this.#listener = listener;
    this.#maxEventBytes = maxEventBytes;
  }

  /** Whether bytes are held back that belong to an event without its end. */
  get hasPartial(): boolean {
    return this.#line.length > 0 || this.#hasData;
  }

  /** Makes it ready for another stream. */
  reset(): void {
    this.#line.clear();
    this.#endEvent();
    this.#isFirstLine = true;
    this.#skipsLf = false;
  }

  push(chunk: Uint8Array): SseVerdict {
    const bytes = Buffer.isBuffer(chunk) ? chunk : Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length);
    let at = 0;
    if (this.#skipsLf && bytes.length > 0) {
      this.#skipsLf = false;
      if (bytes[0] === LF) at = 1;
    }
    let cr = bytes.indexOf(CR, at);
    while (at < bytes.length) {
      const lf = bytes.indexOf(LF, at);
      if (cr === -1 && lf !== -1 && bytes[lf + 1] === LF && !this.hasPartial && isData(bytes, at, lf)) {
        if (lf - at > this.#maxEventBytes) return "too-long";
        this.#isFirstLine = false;
        if (!this.#listener.onFrame(bytes, Math.min(valueStart(bytes, at), lf), lf)) return "stopped";
        at = lf + 2;
        continue;
      }
      // Searched again only when it was passed: a chunk of many lines and few CRs is still read once.
      if (cr !== -1 && cr < at) cr = bytes.indexOf(CR, at);
      const end = cr === -1 ? lf : lf === -1 ? cr : Math.min(lf, cr);
      const verdict = this.#lineUpTo(bytes, at, end === -1 ? bytes.length : end, end !== -1);
      if (verdict !== "ok") return verdict;
      at = this.#afterLineEnd(bytes, end);
    }
    return "ok";
  }

  #afterLineEnd(bytes: Buffer, end: number): number {
    if (end === -1) return bytes.length;
    if (bytes[end] === LF) return end + 1;
    if (end + 1 === bytes.length) this.#skipsLf = true;
    return bytes[end + 1] === LF ? end + 2 : end + 1;
  }

  #lineUpTo(bytes: Buffer, from: number, to: number, isWhole: boolean): SseVerdict {
    if (this.#line.length + this.#data.length + to - from > this.#maxEventBytes) return "too-long";
    if (isWhole && this.#line.length === 0) return this.#wholeLine(bytes, from, to);
    this.#line.append(bytes, from, to);
    if (!isWhole) return "ok";
    const verdict = this.#wholeLine(this.#line.bytes, 0, this.#line.length);
    this.#line.clear();
    return verdict;
  }

  #wholeLine(bytes: Buffer, from: number, to: number): SseVerdict {
    let start = from;
    if (this.#isFirstLine) {
      this.#isFirstLine = false;
      if (hasByteOrderMark(bytes, from, to)) start += 3;
    }
    if (start === to) return this.#emptyLine();
    if (!isData(bytes, start, to)) return "ok";
    if (this.#hasData) this.#data.appendByte(LF);
    this.#hasData = true;
    this.#data.append(bytes, Math.min(valueStart(bytes, start), to), to);
    return "ok";
  }

  #emptyLine(): SseVerdict {
    if (!this.#hasData) return "ok";
    const { bytes, length } = this.#data;
    this.#endEvent();
    return this.#listener.onFrame(bytes, 0, length) ? "ok" : "stopped";
  }

  #endEvent(): void {
    this.#hasData = false;
    this.#data.clear();
  }
}

/** Whether the line is a `data` field; one without a colon has an empty value. */
function isData(bytes: Buffer, from: number, to: number): boolean {
  return (
    bytes[from] === 0x64 &&
    bytes[from + 1] === 0x61 &&
    bytes[from + 2] === 0x74 &&
    bytes[from + 3] === 0x61 &&
    (from + 4 === to || (from + 4 < to && bytes[from + 4] === COLON))
  );
}

/** After `data:` and one space, if there is one; may lie one byte beyond a line without a colon. */
function valueStart(bytes: Buffer, from: number): number {
  return bytes[from + 5] === SPACE ? from + 6 : from + 5;
}

function hasByteOrderMark(bytes: Buffer, from: number, to: number): boolean {
  return to - from >= 3 && bytes[from] === 0xef && bytes[from + 1] === 0xbb && bytes[from + 2] === 0xbf;
}
