import { assert, type Cancel, type Clock } from "@tokenstorm/core";

interface Call {
  readonly dueUs: number;
  readonly order: number;
  readonly fn: () => void;
}

/** Time that stands still until a test moves it. Calls run in the order of their time, equal ones as they were made. */
export class VirtualClock implements Clock {
  #nowUs: number;
  readonly #startUs: number;
  readonly #wallMsAtStart: number;
  #made = 0;
  readonly #calls = new Set<Call>();
  readonly #turns: number;

  /** `turns`: of the event loop after each call; one will do where everything waits for promises alone. */
  constructor(options: { readonly nowUs?: number; readonly wallMs?: number; readonly turns?: number } = {}) {
    this.#turns = options.turns ?? TURNS;
    this.#nowUs = options.nowUs ?? 0;
    this.#startUs = this.#nowUs;
    this.#wallMsAtStart = options.wallMs ?? 1_700_000_000_000;
  }

  nowUs(): number {
    return this.#nowUs;
  }

  wallMs(): number {
    return this.#wallMsAtStart + Math.floor((this.#nowUs - this.#startUs) / 1000);
  }

  at(us: number, fn: () => void): Cancel {
    assert(Number.isFinite(us), `not a time: ${us}`);
    const call = { dueUs: us, order: this.#made, fn };
    this.#made += 1;
    this.#calls.add(call);
    return () => {
      this.#calls.delete(call);
    };
  }

  /** Calls not yet made. */
  get pending(): number {
    return this.#calls.size;
  }

  /** Runs every call due up to `us`, those made on the way too, and stands at `us` then. */
  advanceTo(us: number): void {
    for (let call = this.#next(us); call !== undefined; call = this.#next(us)) this.#run(call);
    this.#nowUs = Math.max(this.#nowUs, us);
  }

  advanceBy(us: number): void {
    this.advanceTo(this.#nowUs + us);
  }

  /** As `advanceTo`, and lets promises settle after each call and at the end, so that what they start is due too. */
  async advanceToAsync(us: number): Promise<void> {
    await settle(this.#turns);
    for (let call = this.#next(us); call !== undefined; call = this.#next(us)) {
      this.#run(call);
      await settle(this.#turns);
    }
    this.#nowUs = Math.max(this.#nowUs, us);
    await settle(this.#turns);
  }

  async advanceByAsync(us: number): Promise<void> {
    await this.advanceToAsync(this.#nowUs + us);
  }

  #run(call: Call): void {
    this.#calls.delete(call);
    // A call that was due already does not turn time back.
    this.#nowUs = Math.max(this.#nowUs, call.dueUs);
    call.fn();
  }

  #next(untilUs: number): Call | undefined {
    let next: Call | undefined;
    for (const call of this.#calls) {
      if (call.dueUs > untilUs) continue;
      if (
        next === undefined ||
        call.dueUs < next.dueUs ||
        (call.dueUs === next.dueUs && call.order < next.order)
      )
        next = call;
    }
    return next;
  }
}

/** Streams and files need a few turns of the event loop. */
const TURNS = 3;

/** Lets everything run that needs no time: promises, and what they queue. */
export async function settle(turns = TURNS): Promise<void> {
  for (let turn = 0; turn < turns; turn += 1) await new Promise<void>((resolve) => setImmediate(resolve));
}
