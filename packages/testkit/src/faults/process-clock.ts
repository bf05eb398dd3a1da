import type { Cancel, Clock } from "@tokenstorm/core";

export interface ProcessClockOptions {
  /** True time. */
  readonly world: Clock;
  /** What this process's monotonic clock shows at the world's zero, us. */
  readonly offsetUs?: number;
  /** How much faster it runs than the world's, parts per million. */
  readonly driftPpm?: number;
  /** What its wall clock is wrong by, ms. */
  readonly wallErrorMs?: number;
}

/**
 * Time as one process sees it, with a zero point and a pace of its own; and the process's life: paused, it makes no call
 * until it goes on (as after SIGSTOP); killed, never again (as after SIGKILL).
 */
export class ProcessClock implements Clock {
  readonly #world: Clock;
  readonly #offsetUs: number;
  readonly #pace: number;
  #wallErrorMs: number;
  readonly #calls = new Set<Cancel>();
  #pausedUntilUs = Number.NEGATIVE_INFINITY;
  #isDead = false;

  constructor({ world, offsetUs = 0, driftPpm = 0, wallErrorMs = 0 }: ProcessClockOptions) {
    this.#world = world;
    this.#offsetUs = offsetUs;
    this.#pace = 1 + driftPpm / 1e6;
    this.#wallErrorMs = wallErrorMs;
  }

  nowUs(): number {
    return Math.floor(this.#world.nowUs() * this.#pace) + this.#offsetUs;
  }

  /** The true time at which this clock shows `localUs`; not rounded. */
  worldUs(localUs: number): number {
    return (localUs - this.#offsetUs) / this.#pace;
  }

  wallMs(): number {
    return this.#world.wallMs() + this.#wallErrorMs;
  }

  /** Somebody sets the host's wall clock; the monotonic one goes on as it was. */
  stepWall(byMs: number): void {
    this.#wallErrorMs += byMs;
  }

  at(us: number, fn: () => void): Cancel {
    if (this.#isDead) return () => undefined;
    return this.#callAt(Math.ceil(this.worldUs(us)), fn);
  }

  get isDead(): boolean {
    return this.#isDead;
  }

  get isPaused(): boolean {
    return this.#world.nowUs() < this.#pausedUntilUs;
  }

  /** Stands still until this moment of true time. */
  pauseUntil(worldUs: number): void {
    this.#pausedUntilUs = Math.max(this.#pausedUntilUs, worldUs);
  }

  kill(): void {
    this.#isDead = true;
    for (const cancel of this.#calls) cancel();
    this.#calls.clear();
  }

  /** Hands something to the process: now, when it goes on, or never. */
  deliver(fn: () => void): void {
    if (this.#isDead) return;
    if (this.isPaused) this.#callAt(this.#pausedUntilUs, fn);
    else fn();
  }

  #callAt(worldUs: number, fn: () => void): Cancel {
    const call = () => {
      this.#calls.delete(stop);
      if (this.isPaused) cancel = this.#world.at(this.#pausedUntilUs, call);
      else fn();
      if (this.isPaused) this.#calls.add(stop);
    };
    let cancel = this.#world.at(worldUs, call);
    const stop = () => {
      this.#calls.delete(stop);
      cancel();
    };
    this.#calls.add(stop);
    return stop;
  }
}
