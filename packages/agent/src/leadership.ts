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

/** Time zero by two clocks, us: that of the leader of this term, and the agent's own. */
export interface KnownStart {
  readonly term: number;
  readonly leaderUs: number;
  readonly localUs: number;
}

/** What an agent knows of its leader, and how far behind the leader's word it is. */
export class Leadership {
  #heardAtUs: number;
  /** When a leader last spoke of the agent's run, as near as can be told. */
  #ledAtUs: number;
  #start: KnownStart | null = null;
  #term = 0;
  #beacon: Beacon | null = null;
  #silences: { readonly fromUs: number; readonly toUs: number }[] = [];
  #acted: { readonly run: string; readonly revision: number } | null = null;

  constructor(nowUs: number) {
    this.#heardAtUs = nowUs;
    this.#ledAtUs = nowUs;
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

  /**
   * Time since a leader that leads the agent's run said so. Of the leader of the start it is known when it spoke, and not only
   * when it was heard: what was long on its way, or says that another run or none is led, does not count.
   */
  unledUs(nowUs: number): number {
    return nowUs - this.#ledAtUs;
  }

  /** A start was committed: it tells how the clock of the leader of that term stands to this one. */
  began(start: KnownStart): void {
    this.#start = start;
  }

  /** The last times in which nothing was heard for longer than a beacon or two, the present one included, us. */
  silences(nowUs: number): readonly { readonly fromUs: number; readonly toUs: number }[] {
    const isQuiet = this.silentUs(nowUs) > QUIET_US;
    return isQuiet ? [...this.#silences, { fromUs: this.#heardAtUs, toUs: nowUs }] : this.#silences;
  }

  /** Of a leader under a higher term than any that was heeded, or of another one under the same. */
  isClaim({ term, leaderInstance }: Beacon): boolean {
    return term > this.#term || (term === this.#term && leaderInstance !== this.leader);
  }

  /** The same leader has said it before, or something after it: somebody repeats it. */
  isRepeated({ term, leaderInstance, seq }: Beacon): boolean {
    const last = this.#beacon;
    return last?.term === term && last.leaderInstance === leaderInstance && seq <= last.seq;
  }

  /** Takes the beacon that came at this time, unless it is that of a leader who has been replaced. */
  heed(beacon: Beacon, at: { readonly nowUs: number; readonly run: string | null }): boolean {
    const mayForget = at.run === null && this.silentUs(at.nowUs) > FORGET_TERM_US;
    if (beacon.term < this.#term && !mayForget) return false;
    if (this.silentUs(at.nowUs) > QUIET_US) {
      this.#silences = [...this.#silences, { fromUs: this.#heardAtUs, toUs: at.nowUs }].slice(-MOST_SILENCES);
    }
    this.#term = beacon.term;
    this.#beacon = beacon;
    this.#heardAtUs = Math.max(this.#heardAtUs, at.nowUs);
    if (at.run === null || beacon.run === at.run)
      this.#ledAtUs = Math.max(this.#ledAtUs, this.#saidAtUs(beacon, at.nowUs));
    return true;
  }

  #saidAtUs({ term, leaderUs }: Beacon, nowUs: number): number {
    const start = this.#start;
    return start?.term === term ? Math.min(nowUs, leaderUs + start.localUs - start.leaderUs) : nowUs;
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
