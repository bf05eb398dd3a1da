const QUOTE = 34;
const BACKSLASH = 92;
/** Stands for the text when a shape is tried; nothing in it is written otherwise in JSON. */
const MARKER = "<the text>";
/** A server whose events differ from each other has no shape worth looking for. */
const MOST_MISSES = 8;

/**
 * The shape that the events of one answer have in common: the same bytes before and after one text. An event of that
 * shape need not be parsed to be understood: where the text has no quote, no backslash and no control character, JSON
 * reads it from the same place to the same place as it read the first, and everything around it is the same.
 */
export class ContentShape {
  /** Of the text, where `matches` has said yes. */
  from = 0;
  to = 0;

  #before: Buffer | null = null;
  #after: Buffer = Buffer.alloc(0);
  #misses = 0;

  reset(): void {
    this.#before = null;
    this.#misses = 0;
  }

  /** No shape is known yet, and it is not vain to look for one. */
  get isWanted(): boolean {
    return this.#before === null && this.#misses < MOST_MISSES;
  }

  matches(bytes: Buffer, from: number, to: number): boolean {
    const before = this.#before;
    if (before === null) return false;
    const textFrom = from + before.length;
    const textTo = to - this.#after.length;
    const isAlike =
      textFrom < textTo &&
      isPlain(bytes, textFrom, textTo) &&
      bytes.compare(this.#after, 0, this.#after.length, textTo, to) === 0 &&
      bytes.compare(before, 0, before.length, from, textFrom) === 0;
    if (isAlike) {
      this.from = textFrom;
      this.to = textTo;
    } else if (++this.#misses >= MOST_MISSES) {
      this.#before = null;
    }
    return isAlike;
  }

  /**
   * Takes its shape from an event with a text under `key`. `textOf` is how a parsed event gives its text: with a marker
   * in the place of the text it must give the marker, else the place was another's.
   */
  learn(bytes: Buffer, from: number, to: number, key: string, textOf: (json: string) => unknown): void {
    const start = `"${key}":"`;
    const at = bytes.indexOf(start, from);
    const textFrom = at + start.length;
    const textTo = bytes.indexOf(QUOTE, textFrom);
    if (at < 0 || textTo < 0 || textTo >= to || !isPlain(bytes, textFrom, textTo)) {
      this.#misses++;
      return;
    }
    const json = bytes.toString("utf8", from, textFrom) + MARKER + bytes.toString("utf8", textTo, to);
    if (textOf(json) !== MARKER) {
      this.#misses++;
      return;
    }
    this.#before = Buffer.from(bytes.subarray(from, textFrom));
    this.#after = Buffer.from(bytes.subarray(textTo, to));
  }
}

/** Nothing that JSON writes otherwise, or that ends a string. */
function isPlain(bytes: Buffer, from: number, to: number): boolean {
  for (let at = from; at < to; at++) {
    const byte = bytes[at] ?? 0;
    if (byte < 32 || byte === QUOTE || byte === BACKSLASH) return false;
  }
  return true;
}
