import {
  type Clock,
  type EventId,
  type KeptEvent,
  LoadError,
  type RunEvent,
  type RunFindings,
  RunHistory,
  type RunState,
  type ServerSample,
} from "@tokenstorm/core";
import { encodeEvent, eventToLine, LEADER_IN_LOG, type ResultLog } from "@tokenstorm/protocol";
import { COORDINATOR_LIMITS } from "./limits.js";
import { pause } from "./ticker.js";

/** How long viewers see a note. */
const NOTE_SHOWN_US = 15_000_000;
const MOST_SHOWN = 5;

export interface RunJournalOptions {
  readonly run: string;
  readonly term: number;
  readonly clock: Clock;
  readonly log: ResultLog;
  /** False: another one may have ended the run by now, and its log been purged. */
  readonly isLeading: () => boolean;
}

/**
 * What the leader notes of a run: into events.ndjson, and into the log, where whoever takes over, or only looks on, finds
 * it. What comes before there is a directory waits for it.
 */
export class RunJournal {
  readonly #options: RunJournalOptions;
  readonly #history = new RunHistory();
  #appendLine: ((line: string) => void) | undefined;
  #waiting: KeptEvent[] = [];
  /** On their way into the log. */
  #leaving: Leaving[] = [];
  /** Acknowledged by the log, and not yet shown by it: an acknowledgement alone is not enough. */
  readonly #unseen = new Map<string, Leaving>();
  /** From the run directory, and not shown by the log yet. */
  readonly #restored = new Map<string, KeptEvent>();
  #work: Promise<void> | undefined;
  #notes: { readonly text: string; readonly atUs: number }[] = [];
  #seq = 0;
  #samples = 0;
  #isClosed = false;
  #hurry: () => void = () => undefined;

  constructor(options: RunJournalOptions) {
    this.#options = options;
  }

  /** From now on lines go there, and entries into the log. */
  open(appendLine: (line: string) => void): void {
    this.#appendLine = appendLine;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const kept of waiting) this.#keep(kept);
  }

  /** What an earlier leader noted, from the run directory: it stands there already. */
  restore(kept: KeptEvent): void {
    if (this.#history.add(kept)) this.#restored.set(nameOf(kept), kept);
  }

  /** The log has shown all that it holds: what it lacks of the run directory is handed over anew, for those who look on. */
  caughtUp(): void {
    const lacking = [...this.#restored.values()];
    this.#restored.clear();
    for (const kept of lacking)
      this.#leave({ kept, resend: this.#options.term, sentAtUs: 0, onSeen: NOTHING });
  }

  /** An entry of the log, of this leader or an earlier one. */
  take(kept: KeptEvent): void {
    const name = nameOf(kept);
    this.#restored.delete(name);
    this.#unseen.get(name)?.onSeen();
    if (this.#unseen.delete(name)) this.#hurry();
    if (this.#history.add(kept)) this.#appendLine?.(eventToLine(kept));
  }

  /** An entry of this leader's own has been numbered so. */
  hasNoted(seq: number): boolean {
    return seq >= 1 && seq <= this.#seq;
  }

  findings(): RunFindings {
    return this.#history.findings();
  }

  /** Which of the notes compare clocks: the report speaks of these. */
  clockEvents(): EventId[] {
    return this.#history.clockEvents();
  }

  add(event: RunEvent): void {
    this.#seq += 1;
    const kept: KeptEvent = { term: this.#options.term, seq: this.#seq, event };
    this.#history.add(kept);
    if (this.#appendLine !== undefined) this.#keep(kept);
    else if (this.#waiting.length < COORDINATOR_LIMITS.events) this.#waiting.push(kept);
  }

  state(state: RunState): void {
    this.add({ kind: "state", state, wallMs: this.#options.clock.wallMs() });
  }

  server(sample: ServerSample): void {
    this.#samples += 1;
    if (this.#samples > COORDINATOR_LIMITS.serverSamples) return;
    this.add({ kind: "server", sample });
  }

  note(text: string): void {
    this.#notes = [...this.#notes, { text, atUs: this.#options.clock.nowUs() }].slice(-MOST_SHOWN);
    this.add({ kind: "note", wallMs: this.#options.clock.wallMs(), text: text.slice(0, LONGEST_NOTE) });
  }

  /** For the live view. */
  recentNotes(): string[] {
    const sinceUs = this.#options.clock.nowUs() - NOTE_SHOWN_US;
    return this.#notes.filter(({ atUs }) => atUs > sinceUs).map(({ text }) => text);
  }

  /** Resolves when the log has all of it, or after a while. */
  async flush(): Promise<void> {
    if (this.#work === undefined) return;
    const limit = pause(this.#options.clock, COORDINATOR_LIMITS.eventFlushMs);
    await Promise.race([this.#work, limit.over]);
    limit.hurry();
  }

  /** Nothing more goes into the log. May be called twice. */
  close(): void {
    this.#isClosed = true;
    this.#hurry();
  }

  #keep(kept: KeptEvent): void {
    this.#appendLine?.(eventToLine(kept));
    this.#leave({ kept, resend: 0, sentAtUs: 0, onSeen: NOTHING });
  }

  #leave(leaving: Leaving): void {
    this.#leaving.push(leaving);
    if (this.#leaving.length > COORDINATOR_LIMITS.pendingEvents) this.#leaving.shift();
    this.#hurry();
    this.#work ??= this.#publishAll().finally(() => {
      this.#work = undefined;
    });
  }

  /** One after the other, each until the log has shown it. */
  async #publishAll(): Promise<void> {
    while (
      !this.#isClosed &&
      this.#options.isLeading() &&
      (this.#leaving.length > 0 || this.#unseen.size > 0)
    ) {
      const [next] = this.#leaving;
      const isTaken = next !== undefined && (await this.#publish(next));
      if (!isTaken) await this.#wait();
      if (next !== undefined && isTaken && this.#leaving[0] === next) this.#leaving.shift();
      this.#resendUnseen();
    }
  }

  /** True when the log has acknowledged it, or will never take it. */
  async #publish(leaving: Leaving): Promise<boolean> {
    const { run, log, clock } = this.#options;
    const { kept, resend } = leaving;
    const { term: epoch, seq } = kept;
    const id = { run, agent: LEADER_IN_LOG, epoch, kind: "event", seq, resend } as const;
    // Shown by the log, it is there, though the acknowledgement be lost.
    const seen = new Promise<void>((resolve) => {
      this.#unseen.set(nameOf(kept), Object.assign(leaving, { onSeen: resolve }));
    });
    try {
      const appended = log.append(id, encodeEvent(kept), { timeoutMs: COORDINATOR_LIMITS.eventTimeoutMs });
      await Promise.race([appended, seen]);
      // Whoever was faster: the other one's failure is nobody's any more.
      appended.catch(() => undefined);
      leaving.sentAtUs = clock.nowUs();
      return true;
    } catch (error) {
      if (!(error instanceof LoadError)) throw error;
      this.#unseen.delete(nameOf(kept));
      // Too large for a message: the run directory has it.
      return error.code !== "BUS_UNAVAILABLE" && error.code !== "BUS_DENIED";
    }
  }

  #resendUnseen(): void {
    const nowUs = this.#options.clock.nowUs();
    for (const [name, leaving] of this.#unseen) {
      const isWaiting = leaving.sentAtUs === 0 || this.#leaving.includes(leaving);
      if (isWaiting || nowUs - leaving.sentAtUs < COORDINATOR_LIMITS.eventUnseenMs * 1000) continue;
      this.#unseen.delete(name);
      this.#leaving.push({ kept: leaving.kept, resend: leaving.resend + 1, sentAtUs: 0, onSeen: NOTHING });
    }
  }

  async #wait(): Promise<void> {
    const { over, hurry } = pause(this.#options.clock, COORDINATOR_LIMITS.eventRetryMs);
    this.#hurry = hurry;
    await over;
  }
}

const NOTHING = () => undefined;

function nameOf({ term, seq }: KeptEvent): string {
  return `${term}:${seq}`;
}

interface Leaving {
  readonly kept: KeptEvent;
  readonly resend: number;
  sentAtUs: number;
  onSeen: () => void;
}

/** A message carries no longer text. */
const LONGEST_NOTE = 4096;
