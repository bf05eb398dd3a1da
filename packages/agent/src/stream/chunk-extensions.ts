import { isQuotedText, isText, isToken } from "./http-bytes.js";
import { MAX_HEAD_BYTES } from "./http-head.js";

const CR = 13;
const SEMICOLON = 59;
const EQUALS = 61;
const QUOTE = 34;
const BACKSLASH = 92;

const START = 0;
const NAME = 1;
const VALUE_START = 2;
const VALUE = 3;
const QUOTED = 4;
const ESCAPE = 5;
const QUOTED_END = 6;

/** What may follow the size of a chunk. It means nothing to anybody, and is read so that what is behind it is found. */
export class ChunkExtensions {
  #state = START;
  #bytes = 0;

  /** After the first semicolon. */
  reset(): void {
    this.#state = START;
    this.#bytes = 0;
  }

  /** `end`: this byte is the CR behind them. */
  take(byte: number): "more" | "end" | "bad" {
    if (++this.#bytes > MAX_HEAD_BYTES) return "bad";
    const state = this.#state;
    if (byte === CR && state !== START && state !== QUOTED && state !== ESCAPE) return "end";
    const next = nextState(state, byte);
    if (next === null) return "bad";
    this.#state = next;
    return "more";
  }
}

/** Names and values may be empty, which RFC 9112 does not say, but undici does not mind. */
function nextState(state: number, byte: number): number | null {
  switch (state) {
    case QUOTED:
      if (byte === QUOTE) return QUOTED_END;
      if (byte === BACKSLASH) return ESCAPE;
      return isQuotedText(byte) ? QUOTED : null;
    case ESCAPE:
      return isText(byte) ? QUOTED : null;
    case START:
    case NAME:
      if (byte === EQUALS) return VALUE_START;
      if (byte === SEMICOLON) return START;
      return isToken(byte) ? NAME : null;
    default:
      if (byte === SEMICOLON) return START;
      if (byte === QUOTE && state === VALUE_START) return QUOTED;
      return isToken(byte) && state !== QUOTED_END ? VALUE : null;
  }
}
