import { type Cancel, type Clock, type RequestKey, requestId } from "@tokenstorm/core";
import { type BuiltRequest, builtNow, type RequestFactory } from "./request-factory.js";

/** So long may building hold up the event loop at a time, us, and one step more. */
const SLICE_US = 1000;
/** Where time stands still (virtual clocks), so many at a time. */
const SLICE_REQUESTS = 64;

interface Wanted {
  readonly key: RequestKey;
  readonly dueUs: number;
  /** Begun, and not done. */
  steps: Generator<undefined, BuiltRequest> | null;
  built: BuiltRequest | null;
}

/**
 * Requests that are built before they are due, off the send path: in slices, and within a bound of memory. What is
 * taken before its turn came is built on the spot.
 */
export class RequestsAhead {
  readonly #options: {
    readonly run: string;
    readonly factory: RequestFactory;
    readonly clock: Clock;
    readonly maxBytes: number;
  };
  readonly #wanted = new Map<string, Wanted>();
  /** Those of #wanted that are not built yet, and some that are no longer wanted. */
  #queue: string[] = [];
  #next = 0;
  #bytes = 0;
  #slice: Cancel | undefined;
  #isClosed = false;
  #builtLate = 0;

  constructor(options: {
    readonly run: string;
    readonly factory: RequestFactory;
    readonly clock: Clock;
    readonly maxBytes: number;
  }) {
    this.#options = options;
  }

  /** Requests that had to be built when they were due. */
  get builtLate(): number {
    return this.#builtLate;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Asks for a request to be built when there is time. `dueUs` as for `take`. */
  want(key: RequestKey, dueUs: number): void {
    const id = requestId(this.#options.run, key, dueUs);
    if (this.#isClosed || this.#wanted.has(id)) return;
    this.#wanted.set(id, { key, dueUs, steps: null, built: null });
    this.#queue.push(id);
    this.#plan();
  }

  /** The request, built by now or built now. */
  take(key: RequestKey, dueUs: number): BuiltRequest {
    const wanted = this.#remove(requestId(this.#options.run, key, dueUs));
    if (wanted !== undefined && wanted.built !== null) return wanted.built;
    this.#builtLate += 1;
    return builtNow(wanted?.steps ?? this.#options.factory.build(key, dueUs));
  }

  /** It will not be sent after all. */
  forget(key: RequestKey, dueUs: number): void {
    this.#remove(requestId(this.#options.run, key, dueUs));
  }

  /** May be called twice. */
  close(): void {
    this.#isClosed = true;
    this.#slice?.();
    this.#slice = undefined;
    this.#wanted.clear();
    this.#queue = [];
    this.#bytes = 0;
  }

  #remove(id: string): Wanted | undefined {
    const wanted = this.#wanted.get(id);
    if (wanted === undefined) return undefined;
    this.#wanted.delete(id);
    if (wanted.built !== null) this.#bytes -= wanted.built.request.body.byteLength;
    this.#plan();
    return wanted;
  }

  #plan(): void {
    if (this.#slice !== undefined || this.#isClosed) return;
    if (this.#next >= this.#queue.length || this.#bytes >= this.#options.maxBytes) return;
    const { clock } = this.#options;
    this.#slice = clock.at(clock.nowUs(), () => {
      this.#slice = undefined;
      this.#buildSlice();
      this.#plan();
    });
  }

  #buildSlice(): void {
    const { clock, factory, maxBytes } = this.#options;
    const untilUs = clock.nowUs() + SLICE_US;
    for (let built = 0; built < SLICE_REQUESTS && this.#bytes < maxBytes; ) {
      const id = this.#queue[this.#next];
      if (id === undefined) break;
      const wanted = this.#wanted.get(id);
      if (wanted !== undefined && wanted.built === null) {
        wanted.steps ??= factory.build(wanted.key, wanted.dueUs);
        if (!this.#advance(wanted, wanted.steps, untilUs)) break;
        built += 1;
      }
      this.#next += 1;
      if (clock.nowUs() >= untilUs) break;
    }
    this.#dropPassed();
  }

  /** Whether it is done. */
  #advance(wanted: Wanted, steps: Generator<undefined, BuiltRequest>, untilUs: number): boolean {
    for (;;) {
      const step = steps.next();
      if (step.done === true) {
        wanted.steps = null;
        wanted.built = step.value;
        this.#bytes += step.value.request.body.byteLength;
        return true;
      }
      if (this.#options.clock.nowUs() >= untilUs) return false;
    }
  }

  /** The queue's beginning, once it is the larger part. */
  #dropPassed(): void {
    if (this.#next * 2 < this.#queue.length) return;
    this.#queue = this.#queue.slice(this.#next);
    this.#next = 0;
  }
}
