import type { RunRecord } from "@tokenstorm/core";
import type { Beacon } from "@tokenstorm/protocol";

/** Without a beacon for so long, an agent looks into the StateStore by itself. */
const QUIET_US = 3_000_000;
const MOST_SILENCES = 100;
/**
 * An idle agent that has heard no leader for so long, longer than any takeover, follows a leader of a lower term: its
 * StateStore was begun anew.
 */
const FORGET_TERM_US = 15_000_000;

/** What an agent knows of its leader, and how far behind the leader's word it is. */
export class Leadership {
  #heardAtUs: number;
  #term = 0;
  #beacon: Beacon | null = null;
  #silences: { readonly fromUs: number; readonly toUs: number }[] = [];
  #acted: { readonly run: string; readonly revision: number } | null = null;

  constructor(nowUs: number) {
    this.#heardAtUs = nowUs;
  }

  get term(): number {
    return this.#term;
  }

  /** The process that leads; null while none was heard. */
  get leader(): string | null {
    return this.#beacon?.leaderInstance ?? null;
  }

  /** Of the beacon heeded last. */
  get beaconSeq(): number {
    return this.#beacon?.seq ?? 0;
  }

  /** Time since a leader was heard. */
  silentUs(nowUs: number): number {
    return nowUs - this.#heardAtUs;
  }

  /** The last times in which nothing was heard for longer than a beacon or two, the present one included, us. */
  silences(nowUs: number): readonly { readonly fromUs: number; readonly toUs: number }[] {
    const isQuiet = this.silentUs(nowUs) > QUIET_US;
    return isQuiet ? [...this.#silences, { fromUs: this.#heardAtUs, toUs: nowUs }] : this.#silences;
  }

  /** Of a leader under a higher term than any that was heeded. */
  isClaim({ term }: Beacon): boolean {
    return term > this.#term;
  }

  /** The same leader has said it before, or something after it: somebody repeats it. */
  isRepeated({ term, leaderInstance, seq }: Beacon): boolean {
    const last = this.#beacon;
    return last?.term === term && last.leaderInstance === leaderInstance && seq <= last.seq;
  }

  /** Takes the beacon, unless it is that of a leader who has been replaced. */
  heed(beacon: Beacon, at: { readonly nowUs: number; readonly isIdle: boolean }): boolean {
    const mayForget = at.isIdle && this.silentUs(at.nowUs) > FORGET_TERM_US;
    if (beacon.term < this.#term && !mayForget) return false;
    if (this.silentUs(at.nowUs) > QUIET_US) {
      this.#silences = [...this.#silences, { fromUs: this.#heardAtUs, toUs: at.nowUs }].slice(-MOST_SILENCES);
    }
    this.#term = beacon.term;
    this.#beacon = beacon;
    this.#heardAtUs = at.nowUs;
    return true;
  }

  /** A leader is heard, and it leads this run. */
  speaksOf(run: string, nowUs: number): boolean {
    return this.#beacon?.run === run && this.silentUs(nowUs) <= QUIET_US;
  }

  /** The run whose record says more than what was acted on; null when none does. */
  behind(): string | null {
    const run = this.#beacon?.run ?? null;
    if (run === null) return null;
    const isActedOn = this.#acted?.run === run && this.#acted.revision >= (this.#beacon?.revision ?? 0);
    return isActedOn ? null : run;
  }

  acted(record: Pick<RunRecord, "id" | "revision">): void {
    this.#acted = { run: record.id, revision: record.revision };
  }
}
