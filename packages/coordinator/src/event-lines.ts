import type { Clock, RunEvent, RunState, ServerSample } from "@tokenstorm/core";
import { COORDINATOR_LIMITS } from "./limits.js";

/** How long viewers see a note. */
const NOTE_SHOWN_US = 15_000_000;
const MOST_SHOWN = 5;

/** Lines of events.ndjson; those from before there is a directory wait for it. */
export class EventLines {
  readonly #clock: Clock;
  #append: ((line: string) => void) | undefined;
  #waiting: string[] = [];
  #notes: { readonly text: string; readonly atUs: number }[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** From now on lines go there. */
  open(append: (line: string) => void): void {
    for (const line of this.#waiting) append(line);
    this.#waiting = [];
    this.#append = append;
  }

  state(state: RunState): void {
    this.#add({ kind: "state", state, wallMs: this.#clock.wallMs() });
  }

  server(sample: ServerSample): void {
    this.#add({ kind: "server", sample });
  }

  note(text: string): void {
    this.#notes = [...this.#notes, { text, atUs: this.#clock.nowUs() }].slice(-MOST_SHOWN);
    this.#add({ kind: "note", wallMs: this.#clock.wallMs(), text });
  }

  /** For the live view. */
  recentNotes(): string[] {
    const sinceUs = this.#clock.nowUs() - NOTE_SHOWN_US;
    return this.#notes.filter(({ atUs }) => atUs > sinceUs).map(({ text }) => text);
  }

  #add(event: RunEvent): void {
    const line = JSON.stringify(event);
    if (this.#append !== undefined) this.#append(line);
    else if (this.#waiting.length < COORDINATOR_LIMITS.events) this.#waiting.push(line);
  }
}
