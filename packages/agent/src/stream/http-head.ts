/** Of names and values together, trailers counted anew; also of a status line, and of a chunk's extensions. */
export const MAX_HEAD_BYTES = 16 * 1024;
/** Length of a body, or -1 where the head does not say: chunked, or as long as the connection. */
export const UNKNOWN_LENGTH = -1;
/** A longer body is nothing this tool could be sent. */
const MAX_BODY_BYTES = Number.MAX_SAFE_INTEGER;

const BOTH_LENGTHS = "both Content-Length and Transfer-Encoding";

/** The meaning of an answer's head, header by header: only what framing and judgement need is kept. */
export class HttpHead {
  status = 0;
  contentType = "";
  isChunked = false;
  length = UNKNOWN_LENGTH;
  /** What the Keep-Alive header promises; null without one. */
  keepAliveMs: number | null = null;

  #field = "";
  #isOld = false;
  #hasContentType = false;
  #hasTransferEncoding = false;
  #saysClose = false;
  #saysKeepAlive = false;

  reset(): void {
    this.status = 0;
    this.contentType = "";
    this.isChunked = false;
    this.length = UNKNOWN_LENGTH;
    this.keepAliveMs = null;
    this.#isOld = false;
    this.#hasContentType = false;
    this.#hasTransferEncoding = false;
    this.#saysClose = false;
    this.#saysKeepAlive = false;
  }

  /** Null, or why a message of this version is none that we speak. */
  version(version: string): string | null {
    // 2.0 in words is odd, and 0.9 has no head at all; the client that is the measure for this one takes both.
    if (!["1.1", "1.0", "2.0", "0.9"].includes(version)) return "an HTTP version that is none";
    this.#isOld = version !== "1.1";
    return null;
  }

  /**
   * The name of a header was read; its value follows. Null, or why the message cannot be understood: one whose end could
   * be taken for two places is refused.
   */
  field(name: string): string | null {
    this.#field = name;
    switch (name) {
      case "content-length":
        if (this.length !== UNKNOWN_LENGTH) return "a second Content-Length";
        return this.#hasTransferEncoding ? BOTH_LENGTHS : null;
      case "transfer-encoding":
        return this.length === UNKNOWN_LENGTH ? null : BOTH_LENGTHS;
      default:
        return null;
    }
  }

  /** The header whose value is being read is one of digits alone. */
  get wantsDigits(): boolean {
    return this.#field === "content-length";
  }

  /** The value of the header that `field` told of. Null, or why the message cannot be understood. */
  value(value: string): string | null {
    switch (this.#field) {
      case "content-type":
        if (!this.#hasContentType) this.contentType = value;
        this.#hasContentType = true;
        return null;
      case "content-length":
        return this.#contentLength(value.trim());
      case "transfer-encoding":
        return this.#transferEncoding(value);
      case "connection":
      case "proxy-connection":
        return this.#connection(value);
      case "keep-alive":
        return this.#keepAlive(value);
      default:
        return null;
    }
  }

  /** Nothing follows the head, whatever its headers say. */
  get hasNoBody(): boolean {
    return this.status < 200 || this.status === 204 || this.status === 304;
  }

  /** The body goes on until the connection is closed. */
  get endsByClosing(): boolean {
    return !this.hasNoBody && !this.isChunked && this.length === UNKNOWN_LENGTH;
  }

  /** The socket may carry another request. */
  get keepsConnection(): boolean {
    // A length where there is no body: the server may mean it.
    if (this.endsByClosing || (this.hasNoBody && this.length > 0)) return false;
    return this.#isOld ? this.#saysKeepAlive : !this.#saysClose;
  }

  /** An answer to a question that nobody here asks: to go on, or to leave HTTP. */
  get isUnasked(): boolean {
    return this.status === 100 || this.status === 101;
  }

  #contentLength(value: string): string | null {
    if (!/^\d+$/.test(value)) return "a Content-Length that is no number";
    this.length = Number(value);
    return this.length > MAX_BODY_BYTES ? "a Content-Length beyond all bounds" : null;
  }

  #transferEncoding(value: string): null {
    if (value.trim() === "") return null;
    this.#hasTransferEncoding = true;
    // What is encoded otherwise, or further, ends with the connection.
    this.isChunked = lastToken(value) === "chunked";
    return null;
  }

  #connection(value: string): null {
    for (const token of value.toLowerCase().split(",")) {
      const word = trimmed(token);
      if (word === "close") this.#saysClose = true;
      if (word === "keep-alive") this.#saysKeepAlive = true;
    }
    return null;
  }

  #keepAlive(value: string): null {
    const seconds = /timeout=(\d+)/.exec(value)?.[1];
    if (seconds !== undefined) this.keepAliveMs ??= Number(seconds) * 1000;
    return null;
  }
}

function lastToken(value: string): string {
  return trimmed(value.slice(value.lastIndexOf(",") + 1)).toLowerCase();
}

/** Without blanks around it; a tab behind a word makes it another word, as undici reads it. */
function trimmed(word: string): string {
  return word.replace(/^[ \t]+/, "").replace(/ +$/, "");
}
