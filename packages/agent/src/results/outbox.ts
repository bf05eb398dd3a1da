import { assert, type Cancel, type Clock, LoadError } from "@tokenstorm/core";
import type { ResultLog } from "@tokenstorm/protocol";
import type { Logger } from "../logger.js";
import { type SeqRange, SeqRanges } from "./seq-ranges.js";

export interface OutboxOptions {
  readonly log: ResultLog;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly run: string;
  readonly agent: string;
  readonly epoch: number;
  /** Beyond so many bytes the oldest acknowledged entries are given up, counted. */
  readonly retainBytes: number;
  readonly appendTimeoutMs: number;
  /** Appends that wait for their acknowledgement at once. */
  readonly appendWindow: number;
  /** Something was acknowledged or confirmed, or an append was refused. */
  readonly onChange: () => void;
}

/** A result as it was coded; its bytes never change again. */
export interface OutboxEntry {
  readonly kind: "snapshot" | "final";
  /** Of a final, the number of the last snapshot. */
  readonly seq: number;
  readonly data: Uint8Array;
}

/** What a beacon says of this agent: all snapshots up to `seq` are safe, and the final where `final` says so. */
export interface Confirmed {
  readonly seq: number;
  readonly final: boolean;
}

interface Held extends OutboxEntry {
  state: "waiting" | "in flight" | "acknowledged";
  resend: number;
  acknowledgedAtUs: number;
}

const FIRST_RETRY_US = 100_000;
const LONGEST_RETRY_US = 5_000_000;
/** Beacons that are on their way still ask for what has just been sent again. */
const RESEND_PAUSE_US = 3_000_000;

/**
 * Holds one run's results until the leader has confirmed them: appends each in order, again and again until the log
 * acknowledges it, and sends again what the leader misses. Bounded by `retainBytes`.
 */
export class Outbox {
  readonly #options: OutboxOptions;
  /** By age, oldest first. A later version may merge neighbours here that were never handed to append. */
  readonly #held = new Map<string, Held>();
  /** Those of #held that are to be appended, by age. */
  #waiting: Held[] = [];
  #inFlight = 0;
  #heldBytes = 0;
  #retryUs = 0;
  #retry: Cancel | undefined;
  #isStopped = false;
  #evicted = 0;
  /** Given up before they were confirmed, in order of their giving up. */
  readonly #gaps = new SeqRanges();
  #acknowledgedThrough = 0;
  readonly #acknowledgedBeyond = new Set<number>();
  #isFinalConfirmed = false;
  #problem: LoadError | undefined;

  constructor(options: OutboxOptions) {
    this.#options = options;
  }

  /** Snapshots given up before they were confirmed. */
  get evicted(): number {
    return this.#evicted;
  }

  /** Which they were; of very many, the first ranges. What has been confirmed all the same is none. */
  get gaps(): readonly SeqRange[] {
    return this.#gaps.ranges();
  }

  /** Highest snapshot up to which the log has acknowledged every one that was not given up. */
  get acknowledgedThrough(): number {
    return this.#acknowledgedThrough;
  }

  /** Nothing is left to be confirmed, the final included. */
  get isDelivered(): boolean {
    return this.#isFinalConfirmed && this.#held.size === 0;
  }

  /** Why the log refuses; undefined while it does not. */
  get problem(): LoadError | undefined {
    return this.#problem;
  }

  /** What nobody has confirmed, oldest first: goes into the spool file. */
  unconfirmed(): readonly OutboxEntry[] {
    return [...this.#held.values()];
  }

  add(entry: OutboxEntry): void {
    assert(!this.#isStopped, "a result was added to a stopped outbox");
    assert(!this.#held.has(keyOf(entry)), `${keyOf(entry)} was added twice`);
    const held: Held = { ...entry, state: "waiting", resend: 0, acknowledgedAtUs: 0 };
    this.#held.set(keyOf(entry), held);
    this.#heldBytes += entry.data.byteLength;
    this.#waiting.push(held);
    this.#evictBeyondBound();
    this.#appendNext();
  }

  /** An interval that can never be appended: it is given up before it was held. */
  giveUp(seq: number): void {
    this.#gaps.add(seq);
    this.#passOver(seq);
  }

  /** The leader's word that everything up to here is in its run directory. */
  confirm(confirmed: Confirmed): void {
    let isChanged = false;
    for (const held of this.#held.values()) {
      if (held.kind === "final" ? !confirmed.final : held.seq > confirmed.seq) continue;
      this.#forget(held);
      isChanged = true;
    }
    if (confirmed.final) this.#isFinalConfirmed = true;
    if (confirmed.seq > this.#acknowledgedThrough) this.#raiseAcknowledged(confirmed.seq);
    if (isChanged) this.#options.onChange();
  }

  /** The leader misses these. What is still on its way is not sent twice. */
  resend(wanted: { readonly seqs: readonly number[]; readonly final: boolean }): void {
    const keys = wanted.seqs.map((seq) => keyOf({ kind: "snapshot", seq }));
    const finals = wanted.final ? [...this.#held.keys()].filter((key) => key.startsWith("final")) : [];
    for (const key of [...keys, ...finals]) {
      const held = this.#held.get(key);
      if (held?.state !== "acknowledged") continue;
      if (this.#options.clock.nowUs() - held.acknowledgedAtUs < RESEND_PAUSE_US) continue;
      held.resend += 1;
      this.#wait(held);
    }
    this.#appendNext();
  }

  /** Appends nothing any more; what is held stays readable. May be called twice. */
  stop(): void {
    this.#isStopped = true;
    this.#retry?.();
    this.#retry = undefined;
  }

  #appendNext(): void {
    while (!this.#isStopped && this.#retry === undefined && this.#inFlight < this.#options.appendWindow) {
      const held = this.#waiting.shift();
      if (held === undefined) return;
      held.state = "in flight";
      this.#inFlight += 1;
      // Every ending is handled within; nothing is thrown out of it.
      void this.#append(held);
    }
  }

  async #append(held: Held): Promise<void> {
    const { log, run, agent, epoch, appendTimeoutMs } = this.#options;
    const id = { run, agent, epoch, kind: held.kind, seq: held.seq, resend: held.resend };
    let failure: unknown;
    try {
      await log.append(id, held.data, { timeoutMs: appendTimeoutMs });
    } catch (error) {
      failure = error;
    }
    this.#inFlight -= 1;
    if (failure === undefined) this.#acknowledge(held);
    else this.#retryLater(held, failure);
    this.#appendNext();
    this.#options.onChange();
  }

  #acknowledge(held: Held): void {
    this.#retryUs = 0;
    this.#problem = undefined;
    held.state = "acknowledged";
    held.acknowledgedAtUs = this.#options.clock.nowUs();
    if (held.kind === "snapshot" && held.seq > this.#acknowledgedThrough) {
      this.#acknowledgedBeyond.add(held.seq);
      this.#raiseAcknowledged(this.#acknowledgedThrough);
    }
    this.#evictBeyondBound();
  }

  #raiseAcknowledged(through: number): void {
    let seq = through;
    while (this.#acknowledgedBeyond.has(seq + 1)) seq += 1;
    this.#acknowledgedThrough = seq;
    for (const beyond of this.#acknowledgedBeyond) if (beyond <= seq) this.#acknowledgedBeyond.delete(beyond);
  }

  #retryLater(held: Held, failure: unknown): void {
    if (failure instanceof LoadError && failure.code === "BUS_DENIED") this.#problem = failure;
    // Confirmed meanwhile: it was stored, only the acknowledgement was lost.
    if (!this.#held.has(keyOf(held))) return;
    this.#wait(held);
    if (this.#isStopped || this.#retry !== undefined) return;
    if (this.#retryUs === 0) {
      const message = failure instanceof Error ? failure.message : String(failure);
      this.#options.logger.warn("a result was not acknowledged; it is sent again until it is", {
        run: this.#options.run,
        kind: held.kind,
        seq: held.seq,
        reason: message,
      });
    }
    this.#retryUs = Math.min(LONGEST_RETRY_US, Math.max(FIRST_RETRY_US, 2 * this.#retryUs));
    this.#retry = this.#options.clock.at(this.#options.clock.nowUs() + this.#retryUs, () => {
      this.#retry = undefined;
      this.#appendNext();
    });
  }

  /** Into its place by age: what is sent again goes before what was never sent. */
  #wait(held: Held): void {
    held.state = "waiting";
    const before = this.#waiting.findIndex((other) => isOlder(held, other));
    this.#waiting.splice(before < 0 ? this.#waiting.length : before, 0, held);
  }

  #evictBeyondBound(): void {
    if (this.#heldBytes <= this.#options.retainBytes) return;
    const before = this.#evicted;
    this.#evictOldest("acknowledged");
    const acknowledged = this.#evicted - before;
    this.#evictOldest("waiting");
    const lost = this.#evicted - before - acknowledged;
    if (this.#evicted > before)
      this.#options.logger.warn("memory for unconfirmed results is full; the oldest were given up", {
        run: this.#options.run,
        retainBytes: this.#options.retainBytes,
        acknowledged,
        neverAcknowledged: lost,
      });
  }

  /** Never a final: without it nobody would know what is missing. */
  #evictOldest(state: Held["state"]): void {
    for (const held of this.#held.values()) {
      if (this.#heldBytes <= this.#options.retainBytes) return;
      if (held.state !== state || held.kind !== "snapshot") continue;
      // Else the only one would be given up before it was ever tried.
      if (state === "waiting" && held === this.#waiting.at(-1)) continue;
      this.#forget(held);
      this.#evicted += 1;
      this.#gaps.add(held.seq);
      this.#passOver(held.seq);
    }
  }

  /** Nobody will acknowledge it: what comes after it must not look unacknowledged. */
  #passOver(seq: number): void {
    if (seq <= this.#acknowledgedThrough) return;
    this.#acknowledgedBeyond.add(seq);
    this.#raiseAcknowledged(this.#acknowledgedThrough);
  }

  #forget(held: Held): void {
    if (!this.#held.delete(keyOf(held))) return;
    this.#heldBytes -= held.data.byteLength;
    if (held.state === "waiting") this.#waiting = this.#waiting.filter((other) => other !== held);
  }
}

function keyOf(entry: Pick<OutboxEntry, "kind" | "seq">): string {
  return `${entry.kind} ${entry.seq}`;
}

/** A final is younger than every snapshot. */
function isOlder(one: OutboxEntry, other: OutboxEntry): boolean {
  if (one.kind !== other.kind) return one.kind === "snapshot";
  return one.seq < other.seq;
}
