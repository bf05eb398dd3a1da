import {
  type Clock,
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
  #leaving: KeptEvent[] = [];
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
    this.#history.add(kept);
  }

  /** An entry of the log, of this leader or an earlier one. */
  take(kept: KeptEvent): void {
    if (this.#history.add(kept)) this.#appendLine?.(eventToLine(kept));
  }

  findings(): RunFindings {
    return this.#history.findings();
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
    this.#leaving.push(kept);
    if (this.#leaving.length > COORDINATOR_LIMITS.pendingEvents) this.#leaving.shift();
    this.#work ??= this.#publish().finally(() => {
      this.#work = undefined;
    });
  }

  /** One after the other, each until the log has it. */
  async #publish(): Promise<void> {
    const { run, log, clock } = this.#options;
    for (let kept = this.#leaving[0]; kept !== undefined && !this.#isClosed; kept = this.#leaving[0]) {
      const { term: epoch, seq } = kept;
      const id = { run, agent: LEADER_IN_LOG, epoch, kind: "event", seq, resend: 0 } as const;
      try {
        await log.append(id, encodeEvent(kept), { timeoutMs: COORDINATOR_LIMITS.eventTimeoutMs });
      } catch (error) {
        if (!(error instanceof LoadError)) throw error;
        // Too large for a message: the run directory has it.
        if (error.code === "BUS_UNAVAILABLE" || error.code === "BUS_DENIED") {
          const { over, hurry } = pause(clock, COORDINATOR_LIMITS.eventRetryMs);
          this.#hurry = hurry;
          await over;
          continue;
        }
      }
      if (this.#leaving[0] === kept) this.#leaving.shift();
    }
  }
}

/** A message carries no longer text. */
const LONGEST_NOTE = 4096;
