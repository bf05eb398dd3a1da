/** Intervals by number, both ends included. */
export interface SeqRange {
  readonly from: number;
  readonly to: number;
}

/** More ranges than a message carries; intervals are given up in runs, so that there are few. */
const MOST_RANGES = 1000;

/** A set of interval numbers that grows, kept as ranges. Beyond a thousand ranges further ones are not kept. */
export class SeqRanges {
  #ranges: { from: number; to: number }[] = [];

  add(seq: number): void {
    const before = this.#ranges.findIndex(({ to }) => to >= seq - 1);
    const near = before < 0 ? undefined : this.#ranges[before];
    if (near === undefined || near.from > seq + 1) {
      if (this.#ranges.length >= MOST_RANGES) return;
      this.#ranges.splice(before < 0 ? this.#ranges.length : before, 0, { from: seq, to: seq });
      return;
    }
    near.from = Math.min(near.from, seq);
    near.to = Math.max(near.to, seq);
    const next = this.#ranges[before + 1];
    if (next === undefined || next.from > near.to + 1) return;
    near.to = Math.max(near.to, next.to);
    this.#ranges.splice(before + 1, 1);
  }

  ranges(): readonly SeqRange[] {
    return this.#ranges.map((range) => ({ ...range }));
  }
}
