import { type ProbeDelays, summariseProbes } from "@tokenstorm/core";
import { missedProbes } from "./missed-probes.js";

/** Beyond so many in one interval only the first are kept: 160 s of them. */
const MOST_KEPT = 8000;
/** A loop that read nothing for so long was not there to be asked. */
const SILENT_US = 100_000;

/** Stamps as they were read, until somebody takes the delays of an interval. All times on one monotonic clock, us. */
export class ProbeReadings {
  #lastStampUs: number | null = null;
  #lastReadUs = 0;
  readonly #readsUs: number[] = [];
  readonly #delaysUs: number[] = [];

  /** A stamp was read; what was due before it and could not be sent counts as read with it. */
  heed(nowUs: number, stampUs: number): void {
    if (this.#lastStampUs !== null) {
      for (const missedUs of missedProbes(this.#lastStampUs, stampUs)) this.#keep(nowUs, missedUs);
    }
    this.#keep(nowUs, stampUs);
    this.#lastStampUs = stampUs;
    this.#lastReadUs = nowUs;
  }

  /** Delays of what was read before `beforeUs`, since the last call; undefined where no stamp was ever read. */
  take(beforeUs: number): ProbeDelays | undefined {
    if (this.#lastStampUs === null) return undefined;
    let count = this.#readsUs.findIndex((readUs) => readUs >= beforeUs);
    if (count < 0) count = this.#readsUs.length;
    const delays = this.#delaysUs.splice(0, count);
    this.#readsUs.splice(0, count);
    // The loop stood still over the whole of it: then nothing was read, and that is the delay so far.
    const silentUs = beforeUs - this.#lastReadUs;
    if (delays.length === 0 && silentUs > SILENT_US) delays.push(silentUs);
    return summariseProbes(delays);
  }

  #keep(nowUs: number, stampUs: number): void {
    if (this.#readsUs.length >= MOST_KEPT) return;
    this.#readsUs.push(nowUs);
    this.#delaysUs.push(Math.max(0, nowUs - stampUs));
  }
}
