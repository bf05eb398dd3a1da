import type { Engine, StepOutput, StepPlan } from "./engine/engine.js";

export interface StepLoopOptions {
  readonly engine: Engine;
  readonly nowUs: () => number;
  /** A step has been scheduled: who was let in with it. */
  readonly onBegin: (plan: StepPlan, nowUs: number) => void;
  /** A step has ended: its tokens, when they were due, and when they came. */
  readonly onEnd: (outputs: readonly StepOutput[], times: { dueUs: number; nowUs: number }) => void;
}

/** How far the release of a step may lag before the clock of the engine is set back. */
const SLIP_TOLERANCE_US = 5_000;
/** Shorter waits are spent in setImmediate: a timer would take a whole millisecond. */
const SPIN_US = 200;
/**
 * Of shorter steps a millisecond is so much that two of them might be released as one, and their reader be blamed for it:
 * waits are rounded to the nearest one, and what is left then is spent in setImmediate. Below one nothing helps.
 */
const SHORT_STEPS_US = { from: 1_000, to: 5_000 } as const;

/**
 * Runs the engine against the wall. The clock of the steps is absolute: a step starts when the last one
 * was due, not when its timer fired, because a GPU does not wait for its front end; so timer rounding
 * does not add up, and the mean step time is exact. Only when the process falls behind by more than a
 * whole step (and 5 ms) does the engine wait for it, since catching up would mean a burst of steps that
 * no GPU can do; that time is counted as `slippedUs`.
 */
export class StepLoop {
  readonly #options: StepLoopOptions;
  #dueUs = 0;
  #durationUs = 0;
  #isStepping = false;
  #timer: NodeJS.Timeout | undefined;
  #immediate: NodeJS.Immediate | undefined;
  #isClosed = false;
  slippedUs = 0;

  constructor(options: StepLoopOptions) {
    this.#options = options;
  }

  /** To be called after a request was added: starts a step when none is under way. */
  wake(): void {
    if (this.#isStepping || this.#isClosed) return;
    this.#begin(this.#options.nowUs());
    this.#wait();
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    clearImmediate(this.#immediate);
  }

  #begin(startUs: number): void {
    const plan = this.#options.engine.beginStep();
    this.#isStepping = plan !== undefined;
    if (plan === undefined) return;
    const nowUs = this.#options.nowUs();
    this.#durationUs = plan.durationUs;
    this.#dueUs = startUs + plan.durationUs;
    const lagUs = nowUs - this.#dueUs;
    if (lagUs > SLIP_TOLERANCE_US) {
      this.slippedUs += lagUs;
      this.#dueUs = nowUs;
    }
    this.#options.onBegin(plan, nowUs);
  }

  #wait(): void {
    if (!this.#isStepping || this.#isClosed) return;
    const leftUs = this.#dueUs - this.#options.nowUs();
    const isShort = this.#durationUs >= SHORT_STEPS_US.from && this.#durationUs < SHORT_STEPS_US.to;
    // A token is never early; rounded up it is at most a millisecond late by rounding.
    const waitMs = isShort ? Math.round(leftUs / 1000) : Math.ceil(leftUs / 1000);
    if (leftUs < SPIN_US || waitMs < 1) this.#immediate = setImmediate(() => this.#release());
    else this.#timer = setTimeout(() => this.#release(), waitMs);
  }

  #release(): void {
    while (this.#isStepping && !this.#isClosed) {
      const nowUs = this.#options.nowUs();
      if (nowUs < this.#dueUs) break;
      const dueUs = this.#dueUs;
      const outputs = this.#options.engine.endStep();
      // The next step starts before the tokens are written: the two overlap in vLLM as well.
      this.#begin(dueUs);
      this.#options.onEnd(outputs, { dueUs, nowUs });
    }
    this.#wait();
  }
}
