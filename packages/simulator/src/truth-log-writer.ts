import { closeSync, openSync, writeSync } from "node:fs";
import { mapToEpoch, monotonicUs } from "./monotonic.js";
import type { TruthOpen, TruthRefusal, TruthRejection, TruthRequest } from "./truth-log.js";

/** A request line before it is formatted: stamps stay in typed arrays. */
export interface RequestRecord extends Omit<TruthRequest, "writesUs" | "writeTokens"> {
  /** Stamp of the first write, then the differences. */
  readonly firstWriteUs: number;
  readonly writeGapsUs: Uint32Array;
  /** Undefined when every write carried one token. */
  readonly writeTokens: Uint32Array | undefined;
}

type Pending =
  | { readonly kind: "request"; readonly record: RequestRecord }
  | { readonly kind: "line"; readonly line: TruthRejection | TruthOpen | TruthRefusal };

const OPEN_EVERY_MS = 1000;
const QUIET_MS = 1000;
const PIECE_BYTES = 1 << 18;
/** Stamps held back while requests are open; beyond it they are written early, and the log says so. */
const MAX_PENDING_STAMPS = 64_000_000;
const LINE_COST = 16;

/**
 * Keeps the truth log in memory while requests are open, so that writing it disturbs no measurement,
 * and writes it when none has been open for a second, and at the end. Also keeps the integral of open
 * requests; without a file it does only that.
 */
export class TruthLogWriter {
  readonly #fd: number | undefined;
  #pending: Pending[] = [];
  #written = 0;
  #pendingStamps = 0;
  #earlyFlushes = 0;
  #open = 0;
  #integralUs = 0;
  #changedUs: number;
  #lastOpenLine: TruthOpen | undefined;
  #quietTimer: NodeJS.Timeout | undefined;
  readonly #openTimer: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(path: string | undefined, config: Readonly<Record<string, unknown>>) {
    this.#changedUs = monotonicUs();
    if (path === undefined) return;
    this.#fd = openSync(path, "w");
    writeSync(this.#fd, `${JSON.stringify({ ...mapToEpoch(), version: 1, config })}\n`);
    this.#addOpenLine();
    this.#openTimer = setInterval(() => this.#addOpenLine(), OPEN_EVERY_MS);
    this.#openTimer.unref();
  }

  get open(): number {
    return this.#open;
  }

  opened(atUs: number): void {
    this.#accrue(atUs);
    this.#open++;
    clearTimeout(this.#quietTimer);
  }

  ended(atUs: number): void {
    this.#accrue(atUs);
    this.#open--;
    if (this.#open === 0 && this.#fd !== undefined) this.#flushWhenQuiet(QUIET_MS);
  }

  addRequest(record: RequestRecord): void {
    this.#add({ kind: "request", record }, record.writeGapsUs.length + LINE_COST);
  }

  addRejection(line: TruthRejection): void {
    this.#add({ kind: "line", line }, LINE_COST);
  }

  /** A scheduled refusal of connections begins or ends. */
  addRefusal(state: TruthRefusal["state"]): void {
    this.#add({ kind: "line", line: { kind: "refusal", state, tUs: monotonicUs() } }, LINE_COST);
  }

  /** Writes what is left. May be called twice. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearInterval(this.#openTimer);
    clearTimeout(this.#quietTimer);
    if (this.#fd === undefined) return;
    this.#addOpenLine();
    while (this.#writePiece());
    writeSync(
      this.#fd,
      `${JSON.stringify({ kind: "end", tUs: monotonicUs(), earlyFlushes: this.#earlyFlushes })}\n`,
    );
    closeSync(this.#fd);
  }

  /**
   * Stamps come in the order of their events, except that a request's stamp is taken at the read
   * and this is called a little later; the integral is the same in whatever order they are added.
   */
  #accrue(atUs: number): void {
    this.#integralUs += this.#open * (atUs - this.#changedUs);
    this.#changedUs = atUs;
  }

  #add(entry: Pending, cost: number): void {
    if (this.#fd === undefined || this.#isClosed) return;
    this.#pending.push(entry);
    this.#pendingStamps += cost;
    if (this.#pendingStamps < MAX_PENDING_STAMPS) return;
    this.#earlyFlushes++;
    while (this.#writePiece());
  }

  #addOpenLine(): void {
    const tUs = monotonicUs();
    const integralUs = this.#integralUs + this.#open * (tUs - this.#changedUs);
    const last = this.#lastOpenLine;
    // An idle hour needs no lines: between two of them the level is what the first says.
    if (last !== undefined && last.integralUs === integralUs && last.open === 0 && !this.#isClosed) return;
    this.#lastOpenLine = { kind: "open", tUs, open: this.#open, integralUs };
    const entry: Pending = { kind: "line", line: this.#lastOpenLine };
    this.#pending.push(entry);
    this.#pendingStamps += LINE_COST;
    if (this.#open === 0 && !this.#isClosed) this.#flushWhenQuiet(QUIET_MS);
  }

  #flushWhenQuiet(delayMs: number): void {
    clearTimeout(this.#quietTimer);
    this.#quietTimer = setTimeout(() => {
      if (this.#open === 0 && this.#writePiece()) this.#flushWhenQuiet(1);
    }, delayMs);
    this.#quietTimer.unref();
  }

  /** Formats and writes up to a quarter of a megabyte; false when nothing is left. */
  #writePiece(): boolean {
    if (this.#fd === undefined || this.#written >= this.#pending.length) {
      this.#pending = [];
      this.#written = 0;
      this.#pendingStamps = 0;
      return false;
    }
    let piece = "";
    while (piece.length < PIECE_BYTES && this.#written < this.#pending.length) {
      const entry = this.#pending[this.#written++];
      if (entry !== undefined) piece += `${formatEntry(entry)}\n`;
    }
    writeAll(this.#fd, piece);
    return true;
  }
}

function formatEntry(entry: Pending): string {
  if (entry.kind === "line") return JSON.stringify(entry.line);
  const { firstWriteUs, writeGapsUs, writeTokens, ...fields } = entry.record;
  const writes = writeGapsUs.length === 0 ? "[]" : `[${firstWriteUs}${gapText(writeGapsUs)}]`;
  const tokens = writeTokens === undefined ? "" : `,"writeTokens":[${writeTokens.join(",")}]`;
  return `${JSON.stringify(fields).slice(0, -1)},"writesUs":${writes}${tokens}}`;
}

/** All but the first gap, which is 0 by definition. */
function gapText(gapsUs: Uint32Array): string {
  return gapsUs.length > 1 ? `,${gapsUs.subarray(1).join(",")}` : "";
}

function writeAll(fd: number, text: string): void {
  const bytes = Buffer.from(text, "utf8");
  for (let offset = 0; offset < bytes.length; ) offset += writeSync(fd, bytes, offset);
}
