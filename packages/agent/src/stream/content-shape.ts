const QUOTE = 34;
const BACKSLASH = 92;
const ZERO = 48;
/** A server whose events differ from each other has no shape worth looking for. */
const MOST_MISSES_IN_A_ROW = 4;
const MOST_LESSONS = 6;
/** As many digits as a number can have and still be counted by one. */
const MOST_DIGITS = 15;

/** What a parsed event says at the places that a shape takes its text and numbers from. */
export interface ShapeProbe {
  readonly text: unknown;
  readonly total_tokens: unknown;
  readonly completion_tokens: unknown;
}

type NumberName = "total_tokens" | "completion_tokens";

export interface Lesson {
  /** Name of the text: it is the first string of that name. */
  readonly key: string;
  /** The event tells the running usage, whose numbers differ from event to event too. */
  readonly hasUsage: boolean;
  /** Parses. */
  readonly probe: (json: string) => ShapeProbe;
}

/**
 * The shape that the events of one answer have in common: the same bytes around one text and, where usage runs along,
 * two numbers. An event of that shape need not be parsed to be understood: a text without quote, backslash and control
 * character, and a number of digits alone, end for JSON where they end here, and leave everything around them as it was.
 */
export class ContentShape {
  /** Of the text, where `matches` has said yes. */
  from = 0;
  to = 0;
  /** Of the usage of that event; -1 where it tells none. */
  completionTokens = -1;

  #before: Buffer | null = null;
  /** What stands between and behind the text and the numbers. */
  #after: readonly Buffer[] = [];
  #names: readonly NumberName[] = [];
  #misses = 0;
  #lessons = 0;

  reset(): void {
    this.#before = null;
    this.#misses = 0;
    this.#lessons = 0;
  }

  /** No shape is known, and it is not vain to look for one. */
  get isWanted(): boolean {
    return this.#before === null && this.#lessons < MOST_LESSONS;
  }

  matches(bytes: Buffer, from: number, to: number): boolean {
    const before = this.#before;
    if (before === null) return false;
    if (this.#isAlike(before, bytes, from, to)) {
      this.#misses = 0;
      return true;
    }
    if (++this.#misses >= MOST_MISSES_IN_A_ROW) this.#before = null;
    return false;
  }

  /**
   * Takes its shape from an event that was understood by parsing. The event is parsed once more with others in the place
   * of text and numbers: where these do not come out, the places were not the ones that count.
   */
  learn(bytes: Buffer, from: number, to: number, { key, hasUsage, probe }: Lesson): void {
    this.#lessons++;
    this.#misses = 0;
    const start = `"${key}":"`;
    const textFrom = bytes.indexOf(start, from) + start.length;
    const textTo = textFrom < start.length ? -1 : bytes.indexOf(QUOTE, textFrom);
    if (textTo < 0 || textTo >= to || !isPlain(bytes, textFrom, textTo)) return;
    const { pieces, names } = hasUsage ? aroundNumbers(bytes.subarray(textTo, to)) : whole(bytes, textTo, to);
    if (hasUsage && !names.includes("completion_tokens")) return;
    const tail = pieces.map(
      (piece, i) => (i === 0 ? "" : String(MARKED_NUMBER + i)) + piece.toString("utf8"),
    );
    const found = probe(`${bytes.toString("utf8", from, textFrom)}${MARKED_TEXT}${tail.join("")}`);
    if (found.text !== MARKED_TEXT || names.some((name, i) => found[name] !== MARKED_NUMBER + i + 1)) return;
    this.#before = Buffer.from(bytes.subarray(from, textFrom));
    this.#after = pieces.map((piece) => Buffer.from(piece));
    this.#names = names;
  }

  #isAlike(before: Buffer, bytes: Buffer, from: number, to: number): boolean {
    const textFrom = from + before.length;
    if (!startsWith(bytes, from, to, before)) return false;
    const textTo = bytes.indexOf(QUOTE, textFrom);
    if (textTo <= textFrom || textTo >= to || !isPlain(bytes, textFrom, textTo)) return false;
    this.from = textFrom;
    this.to = textTo;
    this.completionTokens = -1;
    let at = textTo;
    for (let i = 0; i < this.#after.length; i++) {
      if (i > 0) {
        const digitsTo = endOfNumber(bytes, at, to);
        if (digitsTo < 0) return false;
        if (this.#names[i - 1] === "completion_tokens") this.completionTokens = numberOf(bytes, at, digitsTo);
        at = digitsTo;
      }
      const piece = this.#after[i];
      if (piece === undefined || !startsWith(bytes, at, to, piece)) return false;
      at += piece.length;
    }
    return at === to;
  }
}

/** Nothing in it is written otherwise in JSON. */
const MARKED_TEXT = "<the text>";
const MARKED_NUMBER = 987_654_320;
const NUMBERS = /"(total_tokens|completion_tokens)":(?=(\d+)[,}])/g;

interface Around {
  readonly pieces: readonly Buffer[];
  readonly names: readonly NumberName[];
}

function whole(bytes: Buffer, from: number, to: number): Around {
  return { pieces: [bytes.subarray(from, to)], names: [] };
}

function aroundNumbers(bytes: Buffer): Around {
  const pieces: Buffer[] = [];
  const names: NumberName[] = [];
  let from = 0;
  for (const { 0: field, 1: name, 2: digits = "", index } of bytes.toString("latin1").matchAll(NUMBERS)) {
    const numberFrom = index + field.length;
    pieces.push(bytes.subarray(from, numberFrom));
    names.push(name === "total_tokens" ? name : "completion_tokens");
    from = numberFrom + digits.length;
  }
  pieces.push(bytes.subarray(from));
  return { pieces, names };
}

function startsWith(bytes: Buffer, at: number, to: number, piece: Buffer): boolean {
  const end = at + piece.length;
  return end <= to && bytes.compare(piece, 0, piece.length, at, end) === 0;
}

/** Nothing that JSON writes otherwise, or that ends a string. */
function isPlain(bytes: Buffer, from: number, to: number): boolean {
  for (let at = from; at < to; at++) {
    const byte = bytes[at] ?? 0;
    if (byte < 32 || byte === QUOTE || byte === BACKSLASH) return false;
  }
  return true;
}

/** Where the digits end that begin at `at`; -1 where they are no number as JSON writes one, or one too long. */
function endOfNumber(bytes: Buffer, at: number, to: number): number {
  let end = at;
  while (end < to && isDigit(bytes[end] ?? 0)) end++;
  const digits = end - at;
  if (digits === 0 || digits > MOST_DIGITS || (digits > 1 && bytes[at] === ZERO)) return -1;
  return end;
}

function numberOf(bytes: Buffer, from: number, to: number): number {
  let value = 0;
  for (let at = from; at < to; at++) value = value * 10 + (bytes[at] ?? 0) - ZERO;
  return value;
}

function isDigit(byte: number): boolean {
  return byte >= ZERO && byte <= ZERO + 9;
}
