import type { Cancel, Clock, Final, Problem, Snapshot } from "@tokenstorm/core";
import { encodeFinal, encodeSnapshot, encodeSpool } from "@tokenstorm/protocol";
import type { Logger } from "../logger.js";
import { problemOf } from "../problem.js";
import { Outbox, type OutboxOptions } from "./outbox.js";
import type { SeqRange } from "./seq-ranges.js";

/** A run that has ended without us is waited for so long: its last beacon may still be on its way. */
const HURRY_US = 3_000_000;

export interface DeliveryOptions extends Omit<OutboxOptions, "onChange"> {
  readonly clock: Clock;
  readonly logger: Logger;
  /** How long confirmations are waited for, once the final is there. */
  readonly deliverMs: number;
  readonly writeSpool: (name: string, bytes: Uint8Array) => Promise<string>;
  /** All is confirmed: no problem. Else what was done with the rest, and the file it is in, if it could be written. */
  readonly onEnd: (end: { readonly problem: Problem | null; readonly spooled: string | null }) => void;
}

/** Codes one run's results and sees them through: to the leader's confirmation, or into a spool file. */
export class Delivery {
  readonly #options: DeliveryOptions;
  readonly #outbox: Outbox;
  #uncoded: Snapshot[] = [];
  #coding: Cancel | undefined;
  #deadline: Cancel | undefined;
  #hasFinal = false;
  #isHurried = false;
  #hasEnded = false;
  #hasSpooled = false;
  #lost = 0;

  constructor(options: DeliveryOptions) {
    this.#options = options;
    this.#outbox = new Outbox({ ...options, onChange: () => this.#changed() });
  }

  /** Snapshots that were given up, or could not be coded. */
  get evicted(): number {
    return this.#outbox.evicted + this.#lost;
  }

  /** Intervals that cannot be delivered any more. */
  get gaps(): readonly SeqRange[] {
    return this.#outbox.gaps;
  }

  /** Results that were put into a spool file and that nobody has confirmed since. */
  get undelivered(): number {
    return this.#hasSpooled ? this.#outbox.unconfirmed().length : 0;
  }

  get acknowledgedThrough(): number {
    return this.#outbox.acknowledgedThrough;
  }

  get problem(): Problem | null {
    const { problem } = this.#outbox;
    return problem === undefined ? null : problemOf(problem);
  }

  /** Coded in a turn of its own: cuts happen on the path of tokens. */
  add(snapshot: Snapshot): void {
    const { clock } = this.#options;
    this.#uncoded.push(snapshot);
    this.#coding ??= clock.at(clock.nowUs(), () => this.#code());
  }

  /** The last result: from now on the time for its confirmation runs. */
  finish(final: Final): void {
    this.#code();
    this.#hasFinal = true;
    const { evicted, gaps } = this;
    const last: Final = { ...final, evicted, ...(gaps.length === 0 ? {} : { gaps }) };
    this.#outbox.add({ kind: "final", seq: final.lastSeq, data: encodeFinal(last) });
    this.#endAfter(this.#isHurried ? HURRY_US : this.#options.deliverMs * 1000);
  }

  confirm(confirmed: { readonly seq: number; readonly final: boolean }): void {
    this.#outbox.confirm(confirmed);
    this.#changed();
  }

  resend(wanted: { readonly seqs: readonly number[]; readonly final: boolean }): void {
    this.#outbox.resend(wanted);
  }

  /** Nobody will confirm for much longer. */
  hurry(): void {
    this.#isHurried = true;
    if (this.#hasFinal && !this.#hasEnded) this.#endAfter(HURRY_US);
  }

  /** May be called twice. */
  close(): void {
    this.#hasEnded = true;
    this.#coding?.();
    this.#deadline?.();
    this.#outbox.stop();
  }

  #code(): void {
    this.#coding?.();
    this.#coding = undefined;
    const uncoded = this.#uncoded;
    this.#uncoded = [];
    for (const snapshot of uncoded) this.#codeOne(snapshot);
  }

  #codeOne(snapshot: Snapshot): void {
    try {
      this.#outbox.add({ kind: "snapshot", seq: snapshot.seq, data: encodeSnapshot(snapshot) });
    } catch (error) {
      this.#lost += 1;
      this.#outbox.giveUp(snapshot.seq);
      this.#options.logger.error("an interval could not be coded and is lost", {
        run: snapshot.run,
        seq: snapshot.seq,
        reason: error instanceof Error ? error.message : String(error),
      });
    }
  }

  #changed(): void {
    if (!this.#hasFinal || !this.#outbox.isDelivered) return;
    // A leader that came late has confirmed what is in the spool file: nothing is owed any more.
    if (this.#hasEnded && !this.#hasSpooled) return;
    this.#hasEnded = true;
    this.#hasSpooled = false;
    this.#deadline?.();
    this.#options.onEnd({ problem: null, spooled: null });
  }

  #endAfter(us: number): void {
    const { clock } = this.#options;
    this.#deadline?.();
    this.#deadline = clock.at(clock.nowUs() + us, () => {
      this.#hasEnded = true;
      this.#hasSpooled = true;
      // Handled to its end within.
      void this.#spool();
    });
  }

  /** The outbox goes on: a leader that comes late may still ask. */
  async #spool(): Promise<void> {
    const { run, agent, epoch, logger, writeSpool, onEnd } = this.#options;
    const entries = this.#outbox.unconfirmed().map((entry) => ({ run, agent, epoch, ...pick(entry) }));
    const what = `${entries.length} results of run ${run} were not confirmed in time`;
    const name = `${run}-${agent}-e${epoch}.spool.ndjson`;
    try {
      const place = await writeSpool(name, encodeSpool(entries));
      // Confirmed while it was written.
      if (!this.#hasSpooled) return;
      const hint = `unless a coordinator confirms them later: tokenstorm report ${run} --add ${place}`;
      logger.error(`${what}; they are in ${place}`, { run, results: entries.length, hint });
      onEnd({
        problem: { code: "BUS_UNAVAILABLE", message: `${what}; they are in ${place}`, hint },
        spooled: place,
      });
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      const message = `${what}, and ${name} could not be written: ${reason}`;
      logger.error(message, { run, results: entries.length });
      onEnd({ problem: { code: "RESULTS_UNREADABLE", message }, spooled: null });
    }
  }
}

function pick<Entry extends { kind: "snapshot" | "final"; seq: number; data: Uint8Array }>(entry: Entry) {
  return { kind: entry.kind, seq: entry.seq, data: entry.data };
}
