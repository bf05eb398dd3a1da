import type { ShardAssignment } from "../run/run-record.js";
import type { AgentIntervals } from "./aggregate.js";
import type { Final } from "./snapshot.js";

/** Which intervals of one agent are in. Takes space only for those that came before their turn. */
export class AgentBook {
  readonly shard: ShardAssignment;
  final: Final | null = null;
  /** Run time at which its last interval so far ends, us. */
  #endUs = 0;
  #contiguous = 0;
  #highest = 0;
  #atLeast = 0;
  readonly #early = new Set<number>();

  constructor(shard: ShardAssignment) {
    this.shard = shard;
  }

  has(seq: number): boolean {
    return seq <= this.#contiguous || this.#early.has(seq);
  }

  add(seq: number, toUs: number): void {
    this.#early.add(seq);
    while (this.#early.delete(this.#contiguous + 1)) this.#contiguous += 1;
    if (seq < this.#highest) return;
    this.#highest = seq;
    this.#endUs = toUs;
  }

  expectAtLeast(seq: number): void {
    this.#atLeast = Math.max(this.#atLeast, seq);
  }

  get contiguous(): number {
    return this.#contiguous;
  }

  /** Run time after which nothing more comes of it, us; null while that is not known. */
  get endUs(): number | null {
    return this.final !== null && this.final.lastSeq <= this.#highest ? this.#endUs : null;
  }

  intervals(): AgentIntervals {
    const expected = Math.max(this.final?.lastSeq ?? this.#atLeast, this.#highest);
    return {
      shard: this.shard,
      received: this.#contiguous + this.#early.size,
      expected,
      final: this.final,
      missing: this.#gaps(expected),
    };
  }

  /** Ranges, and not one by one: the expected number is what somebody else said. */
  #gaps(expected: number): { from: number; to: number }[] {
    const gaps: { from: number; to: number }[] = [];
    let next = this.#contiguous + 1;
    for (const seq of [...this.#early].sort((a, b) => a - b)) {
      if (seq > next) gaps.push({ from: next, to: seq - 1 });
      next = seq + 1;
    }
    if (next <= expected) gaps.push({ from: next, to: expected });
    return gaps;
  }
}
