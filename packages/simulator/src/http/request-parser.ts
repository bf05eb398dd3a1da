/** One complete HTTP/1.1 request; header names are lower case, repeated ones joined by a comma. */
export interface HttpRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Buffer;
  /** Whether the connection may carry another request after this one. */
  readonly keepAlive: boolean;
}

export type ParseResult =
  | { readonly kind: "request"; readonly request: HttpRequest }
  | { readonly kind: "incomplete"; readonly expectsContinue: boolean }
  /** The connection cannot go on after this. */
  | { readonly kind: "error"; readonly status: number; readonly message: string };

export interface ParserLimits {
  readonly headBytes: number;
  readonly bodyBytes: number;
}

type Body =
  | { readonly kind: "length"; readonly bytes: number }
  | { readonly kind: "chunked"; state: "size" | "data" | "data-end" | "trailers"; left: number };

interface Head {
  readonly method: string;
  readonly path: string;
  readonly headers: ReadonlyMap<string, string>;
  readonly keepAlive: boolean;
  readonly body: Body;
}

class BadRequest extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

const EMPTY = Buffer.alloc(0);
const LF = 10;
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const MAX_CHUNK_LINE = 256;

/**
 * A narrow HTTP/1.1 request parser: bytes go in by `feed`, whole requests come out of `next`. Lengths
 * and chunked bodies are taken; what is ambiguous is refused.
 */
export class RequestParser {
  readonly #limits: ParserLimits;
  #buffer: Buffer = EMPTY;
  #head: Head | undefined;
  #pieces: Buffer[] = [];
  #bodyBytes = 0;

  constructor(limits: ParserLimits) {
    this.#limits = limits;
  }

  /** Bytes that no request has been made of yet. */
  get bufferedBytes(): number {
    return this.#buffer.length + this.#bodyBytes;
  }

  feed(bytes: Buffer): void {
    this.#buffer = this.#buffer.length === 0 ? bytes : Buffer.concat([this.#buffer, bytes]);
  }

  next(): ParseResult {
    try {
      this.#head ??= this.#takeHead();
      const head = this.#head;
      if (head === undefined) return { kind: "incomplete", expectsContinue: false };
      const isComplete =
        head.body.kind === "length" ? this.#takeLength(head.body.bytes) : this.#takeChunks(head.body);
      if (!isComplete) {
        const expectsContinue = head.headers.get("expect")?.toLowerCase() === "100-continue";
        return { kind: "incomplete", expectsContinue };
      }
      return { kind: "request", request: this.#finish(head) };
    } catch (error) {
      if (error instanceof BadRequest) return { kind: "error", status: error.status, message: error.message };
      throw error;
    }
  }

  #finish(head: Head): HttpRequest {
    const [only = EMPTY] = this.#pieces;
    const body = this.#pieces.length > 1 ? Buffer.concat(this.#pieces) : only;
    this.#head = undefined;
    this.#pieces = [];
    this.#bodyBytes = 0;
    const { method, path, headers, keepAlive } = head;
    return { method, path, headers, body, keepAlive };
  }

  #takeHead(): Head | undefined {
    // Stray line ends before a request line are tolerated (RFC 9112, 2.2).
    let start = 0;
    while (this.#buffer[start] === 13 || this.#buffer[start] === LF) start++;
    if (start > 0) this.#buffer = this.#buffer.subarray(start);
    const end = this.#buffer.indexOf("\r\n\r\n");
    const size = end === -1 ? this.#buffer.length : end;
    if (size > this.#limits.headBytes) throw new BadRequest(431, "Request header fields are too large.");
    if (end === -1) return undefined;
    const head = parseHead(this.#buffer.toString("latin1", 0, end), this.#limits.bodyBytes);
    this.#buffer = this.#buffer.subarray(end + 4);
    return head;
  }

  /** Moves up to `wanted` bytes from the buffer to the body and says how many it moved. */
  #moveToBody(wanted: number): number {
    const piece = this.#buffer.subarray(0, wanted);
    if (piece.length > 0) {
      this.#pieces.push(piece);
      this.#bodyBytes += piece.length;
      this.#buffer = this.#buffer.subarray(piece.length);
    }
    return piece.length;
  }

  #takeLength(bytes: number): boolean {
    this.#moveToBody(bytes - this.#bodyBytes);
    return this.#bodyBytes === bytes;
  }

  #takeChunks(body: Extract<Body, { kind: "chunked" }>): boolean {
    for (;;) {
      if (body.state === "data") {
        body.left -= this.#moveToBody(body.left);
        if (body.left > 0) return false;
        body.state = "data-end";
      }
      const line = this.#takeLine();
      if (line === undefined) return false;
      if (body.state === "trailers") {
        if (line === "") return true;
      } else if (body.state === "data-end") {
        if (line !== "") throw new BadRequest(400, "A chunk is longer than its size says.");
        body.state = "size";
      } else {
        body.left = this.#chunkSize(line);
        body.state = body.left === 0 ? "trailers" : "data";
      }
    }
  }

  #chunkSize(line: string): number {
    const [digits = ""] = line.split(";", 1);
    if (!/^[0-9a-fA-F]{1,8}$/.test(digits.trim())) throw new BadRequest(400, "A chunk size is not a number.");
    const size = Number.parseInt(digits, 16);
    if (this.#bodyBytes + size > this.#limits.bodyBytes) throw new BadRequest(413, "The body is too large.");
    return size;
  }

  #takeLine(): string | undefined {
    const end = this.#buffer.indexOf(LF);
    if ((end === -1 ? this.#buffer.length : end) > MAX_CHUNK_LINE) {
      throw new BadRequest(400, "A line of the chunked body is too long.");
    }
    if (end === -1) return undefined;
    if (this.#buffer[end - 1] !== 13) throw new BadRequest(400, "A line of the chunked body lacks its CR.");
    const line = this.#buffer.toString("latin1", 0, end - 1);
    this.#buffer = this.#buffer.subarray(end + 1);
    return line;
  }
}

function parseHead(text: string, maxBodyBytes: number): Head {
  const [requestLine = "", ...lines] = text.split("\r\n");
  const [method = "", target = "", version = "", ...rest] = requestLine.split(" ");
  if (!TOKEN.test(method) || target === "" || rest.length > 0 || !/^HTTP\/\d\.\d$/.test(version)) {
    throw new BadRequest(400, "Invalid HTTP request received.");
  }
  if (version !== "HTTP/1.1" && version !== "HTTP/1.0") throw new BadRequest(505, "HTTP/1.1 is spoken here.");
  const headers = parseHeaders(lines);
  const connection = headers.get("connection")?.toLowerCase() ?? "";
  return {
    method,
    path: pathOf(target),
    headers,
    keepAlive: version === "HTTP/1.1" && !/(^|,)\s*close\s*(,|$)/.test(connection),
    body: bodyOf(headers, maxBodyBytes),
  };
}

function parseHeaders(lines: readonly string[]): Map<string, string> {
  const headers = new Map<string, string>();
  for (const line of lines) {
    const colon = line.indexOf(":");
    const name = line.slice(0, Math.max(colon, 0)).toLowerCase();
    if (!TOKEN.test(name)) throw new BadRequest(400, "Invalid HTTP request received.");
    const value = line.slice(colon + 1).trim();
    const earlier = headers.get(name);
    if (earlier !== undefined && name === "content-length") throw new BadRequest(400, "Two content lengths.");
    headers.set(name, earlier === undefined ? value : `${earlier}, ${value}`);
  }
  return headers;
}

function bodyOf(headers: ReadonlyMap<string, string>, maxBodyBytes: number): Body {
  const encoding = headers.get("transfer-encoding")?.toLowerCase();
  const length = headers.get("content-length");
  if (encoding !== undefined) {
    if (length !== undefined) throw new BadRequest(400, "Both a content length and a transfer encoding.");
    if (encoding !== "chunked") throw new BadRequest(501, `Transfer encoding ${encoding} is not supported.`);
    return { kind: "chunked", state: "size", left: 0 };
  }
  if (length === undefined) return { kind: "length", bytes: 0 };
  if (!/^\d{1,15}$/.test(length)) throw new BadRequest(400, "The content length is not a number.");
  const bytes = Number(length);
  if (bytes > maxBodyBytes) throw new BadRequest(413, "The body is too large.");
  return { kind: "length", bytes };
}

/** The path of an origin-form or absolute-form target, without its query. */
function pathOf(target: string): string {
  const path = target.startsWith("/") ? target : target.replace(/^https?:\/\/[^/]*/i, "");
  const query = path.indexOf("?");
  return query === -1 ? path || "/" : path.slice(0, query);
}
