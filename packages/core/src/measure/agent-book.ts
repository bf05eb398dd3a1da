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
  /** Given up by the agent and not in: those up to #contiguous, and those beyond it. */
  readonly #holes = new Set<number>();
  readonly #waived = new Set<number>();

  constructor(shard: ShardAssignment) {
    this.shard = shard;
  }

  has(seq: number): boolean {
    return (seq <= this.#contiguous && !this.#holes.has(seq)) || this.#early.has(seq);
  }

  add(seq: number, toUs: number): void {
    if (!this.#holes.delete(seq)) {
      this.#waived.delete(seq);
      this.#early.add(seq);
      this.#advance();
    }
    if (seq < this.#highest) return;
    this.#highest = seq;
    this.#endUs = toUs;
  }

  /** The agent has it no more: nobody need wait for it, and it is missing unless it comes all the same. */
  giveUp(seq: number): void {
    if (seq < 1 || seq <= this.#contiguous || this.#early.has(seq) || this.#waived.has(seq)) return;
    this.#waived.add(seq);
    this.#atLeast = Math.max(this.#atLeast, seq);
    this.#advance();
  }

  #advance(): void {
    for (let next = this.#contiguous + 1; ; next += 1) {
      if (this.#waived.delete(next)) this.#holes.add(next);
      else if (!this.#early.delete(next)) return;
      this.#contiguous = next;
    }
  }

  expectAtLeast(seq: number): void {
    this.#atLeast = Math.max(this.#atLeast, seq);
  }

  /** Up to here every interval is in, or has been given up. */
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
      received: this.#contiguous - this.#holes.size + this.#early.size,
      expected,
      final: this.final,
      missing: this.#gaps(expected),
    };
  }

  /** Ranges, and not one by one: the expected number is what somebody else said. */
  #gaps(expected: number): { from: number; to: number }[] {
    const gaps: { from: number; to: number }[] = [];
    const miss = (from: number, to: number) => {
      const last = gaps.at(-1);
      if (last?.to === from - 1) last.to = to;
      else gaps.push({ from, to });
    };
    for (const seq of [...this.#holes].sort((a, b) => a - b)) miss(seq, seq);
    let next = this.#contiguous + 1;
    for (const seq of [...this.#early].sort((a, b) => a - b)) {
      if (seq > next) miss(next, seq - 1);
      next = seq + 1;
    }
    if (next <= expected) miss(next, expected);
    return gaps;
  }
}
