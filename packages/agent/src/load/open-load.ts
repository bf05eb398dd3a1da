import type { Arrival, Recorder } from "@tokenstorm/core";
import type { RequestsAhead } from "./requests-ahead.js";
import type { Sender } from "./sender.js";

/** So many arrivals are known, and their requests asked for, before they are due. */
const LOOKAHEAD_ARRIVALS = 512;

export interface OpenLoadOptions {
  /** The shard's arrivals, in order; due since the start of the first rate stage. Null: to be asked for more later. */
  readonly arrivals: Iterator<Arrival | null>;
  /** Calls when the event loop has had time for others. */
  readonly later: (goOn: () => void) => void;
  /** Something is due that was not known before. */
  readonly onDue: () => void;
  /** This shard's part of `maxInFlight`: so many slots from `firstSlot` on. */
  readonly maxInFlight: number;
  readonly firstSlot: number;
  readonly maxLatenessUs: number;
  readonly recorder: Recorder;
  readonly sender: Sender;
  readonly ahead: RequestsAhead;
}

/** Sends arrivals when they are due, whatever became of those before; drops, counted, what cannot be sent. */
export class OpenLoad {
  readonly #options: OpenLoadOptions;
  /** The slot used last is taken first: its connection is warm. */
  readonly #free: number[];
  /** Arrivals ahead, in run time. */
  readonly #ahead: Arrival[] = [];
  #startUs: number | null = null;
  #isDone = false;
  /** The next arrival is far ahead: it is looked for in slices. */
  #isLooking = false;

  constructor(options: OpenLoadOptions) {
    this.#options = options;
    const { maxInFlight, firstSlot } = options;
    this.#free = Array.from({ length: maxInFlight }, (_, i) => firstSlot + maxInFlight - 1 - i);
  }

  /** Start of the first rate stage, run time; null while it is not known. */
  commit(startUs: number | null): void {
    if (this.#startUs !== null || startUs === null || this.#isDone) return;
    this.#startUs = startUs;
    this.#fill(LOOKAHEAD_ARRIVALS);
  }

  /** When the next arrival is due; undefined when there is none, or none is known yet. */
  firstDueUs(): number | undefined {
    return this.#ahead[0]?.dueUs;
  }

  /** Sends, or drops, the next arrival, if it is due by then; false when none is. */
  sendNext(nowUs: number): boolean {
    const next = this.#ahead[0];
    if (next === undefined || next.dueUs > nowUs) return false;
    this.#ahead.shift();
    // Two for one, so that the window fills again after a burst.
    this.#fill(2);
    this.#send(next);
    return true;
  }

  /** The slot's request has ended. */
  ended(slot: number): void {
    this.#free.push(slot);
  }

  stop(): void {
    this.#isDone = true;
    this.#ahead.length = 0;
  }

  #send({ key, dueUs }: Arrival): void {
    const { recorder, sender, ahead, maxLatenessUs } = this.#options;
    const built = ahead.take(key, dueUs - (this.#startUs ?? 0));
    const sample = recorder.offer({
      stage: key.stage,
      dueUs,
      user: null,
      askedPromptTokens: built.asked.promptTokens,
      askedOutputTokens: built.asked.outputTokens,
      member: built.asked.member,
      images: built.asked.images,
      url: built.request.url,
    });
    const nowUs = sender.nowUs();
    if (nowUs - dueUs > maxLatenessUs) {
      recorder.drop(sample, nowUs, "late");
      return;
    }
    if (!sender.mayTry(built.request.url, nowUs)) {
      sender.failUntried(sample, nowUs);
      return;
    }
    const slot = this.#free.pop();
    if (slot === undefined) recorder.drop(sample, nowUs, "in-flight-limit");
    else sender.send(slot, sample, built);
  }

  /** So many more, or those that are found in one slice; then the whole window is filled in further ones. */
  #fill(most: number): void {
    const { arrivals, ahead, later, onDue } = this.#options;
    if (this.#isLooking) return;
    for (
      let pulled = 0;
      pulled < most && this.#ahead.length < LOOKAHEAD_ARRIVALS && !this.#isDone;
      pulled += 1
    ) {
      const next = arrivals.next();
      if (next.done === true) {
        this.#isDone = true;
        return;
      }
      if (next.value === null) {
        this.#isLooking = true;
        later(() => {
          this.#isLooking = false;
          this.#fill(LOOKAHEAD_ARRIVALS);
          onDue();
        });
        return;
      }
      const { key, dueUs } = next.value;
      this.#ahead.push({ key, dueUs: (this.#startUs ?? 0) + dueUs });
      // Known by its time in the load: when the load starts differs from run to run.
      ahead.want(key, dueUs);
    }
  }
}
