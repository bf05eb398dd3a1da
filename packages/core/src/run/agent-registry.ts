import type { AgentReport, AgentView } from "./agent-view.js";

export const REGISTRY_LIMITS = {
  /** Further agents are counted, not kept. */
  agents: 10_000,
  /** A process that was heard so long ago is alive no more. */
  livingUs: 5_000_000,
  /** Heartbeats come each second: an agent that misses two while another process uses its id has been replaced. */
  replacedAfterUs: 2_500_000,
  /** Without its own beacon for so long the leader does not trust the bus. */
  beaconLoopUs: 2_500_000,
  /** A refused process is named in beacons until it has been silent for so long. */
  refusedUs: 10_000_000,
  refused: 1000,
  /** An agent that was silent for so long is forgotten. */
  forgottenUs: 60_000_000,
  /** How often that is looked at. */
  tidyUs: 1_000_000,
  /** Heartbeats that count up, and none that is newer than the last one heeded: after so many, */
  healingBeats: 3,
  /** and for so long, that one was not of this process, and is forgotten. Well before it would be lost. */
  healingUs: 1_500_000,
  /** A number further ahead than this may be made up; one no further silences a process for less than it takes to be lost. */
  plausibleLeap: 3,
  /** until the process has counted on from it for so long, and nothing spoke against it: it would have, each second. */
  undisputedUs: 3_000_000,
} as const;

interface Entry {
  readonly report: AgentReport;
  readonly heardAtUs: number;
  /** Another process that uses the same id, since when; it is refused as soon as this one is heard again. */
  readonly challenger: { readonly report: AgentReport; readonly sinceUs: number } | null;
  /** Heartbeats with numbers up to the last one's, as long as they count up and no newer one comes. */
  readonly stale?: { readonly seq: number; readonly beats: number; readonly sinceUs: number };
  /** Null where its last number is its own. */
  readonly doubt: Doubt | null;
}

/** A number that may be made up: the first that was heard, or one too far ahead. */
interface Doubt {
  /** The last one before it. Up to here all has been said. */
  readonly aboveSeq: number;
  /** Since when nothing has spoken against it. */
  readonly sinceUs: number;
}

/**
 * Who is there, from heartbeats and the leader's own clock. Of two living processes with one id the later is refused:
 * two would send one shard twice. A process that comes back with its old id after its predecessor fell silent takes
 * its place, under another instance.
 */
export class AgentRegistry {
  readonly #entries = new Map<string, Entry>();
  readonly #refused = new Map<string, { readonly agent: string; heardAtUs: number }>();
  #overflow = 0;
  #beaconAtUs: number | undefined;
  #beaconsSinceUs = 0;
  #tidiedAtUs = 0;

  /**
   * Takes a heartbeat. `isNews` when something about the agent has changed that a decision may hang on; `isStale` for one
   * that the same process said before the last: somebody has repeated it.
   */
  heard(report: AgentReport, nowUs: number): { readonly isNews: boolean; readonly isStale?: boolean } {
    this.#forget(nowUs);
    const refused = this.#refused.get(report.instance);
    if (refused !== undefined) {
      refused.heardAtUs = nowUs;
      return { isNews: false };
    }
    const known = this.#entries.get(report.agent);
    if (known === undefined && this.#entries.size >= REGISTRY_LIMITS.agents) {
      this.#overflow += 1;
      return { isNews: false };
    }
    if (known !== undefined && isStale(known.report, report) && !this.#heals(report, known, nowUs))
      return { isNews: false, isStale: true };
    if (known === undefined || known.report.instance === report.instance)
      return this.#keep(report, known, nowUs);
    return this.#challenge(report, known, nowUs);
  }

  /** The leader's own beacon came back to it. */
  beaconReturned(nowUs: number): void {
    if (!this.#hearsBeacons(nowUs)) this.#beaconsSinceUs = nowUs;
    this.#beaconAtUs = nowUs;
  }

  views(nowUs: number): ReadonlyMap<string, AgentView> {
    const views = new Map<string, AgentView>();
    const isLoopWhole = this.#hearsBeacons(nowUs);
    for (const [agent, { report, heardAtUs, challenger }] of this.#entries) {
      const silentSinceUs = Math.max(heardAtUs, this.#beaconsSinceUs);
      views.set(agent, {
        ...report,
        heardAtUs,
        silentUs: isLoopWhole ? Math.max(0, nowUs - silentSinceUs) : 0,
        isContested: challenger !== null,
      });
    }
    return views;
  }

  /** Instances that must end, for the beacon. */
  refused(): string[] {
    return [...this.#refused.keys()].slice(0, REGISTRY_LIMITS.refused);
  }

  /** Heartbeats of agents beyond the limit. */
  get overflow(): number {
    return this.#overflow;
  }

  /**
   * A number that somebody else has made up would make a repetition of all that this process says from then on. What it said
   * before that one is a repetition all the same, also in the order in which it was said.
   */
  #heals(report: AgentReport, known: Entry, nowUs: number): boolean {
    const { healingBeats, healingUs } = REGISTRY_LIMITS;
    const seq = report.seq ?? 0;
    if (known.doubt === null || seq <= known.doubt.aboveSeq) return false;
    const before = known.stale !== undefined && known.stale.seq < seq ? known.stale : undefined;
    const stale = { seq, beats: (before?.beats ?? 0) + 1, sinceUs: before?.sinceUs ?? nowUs };
    this.#entries.set(report.agent, { ...known, stale, doubt: { ...known.doubt, sinceUs: nowUs } });
    return stale.beats >= healingBeats && nowUs - stale.sinceUs >= healingUs;
  }

  #keep(report: AgentReport, known: Entry | undefined, nowUs: number): { readonly isNews: boolean } {
    const challenger = known?.challenger ?? null;
    if (challenger !== null) {
      this.#refused.set(challenger.report.instance, { agent: report.agent, heardAtUs: nowUs });
    }
    const doubt = doubtOf(report, known, nowUs);
    this.#entries.set(report.agent, { report, heardAtUs: nowUs, challenger: null, doubt });
    return { isNews: known === undefined || challenger !== null || differs(known.report, report) };
  }

  #challenge(report: AgentReport, known: Entry, nowUs: number): { readonly isNews: boolean } {
    const same = known.challenger?.report.instance === report.instance;
    const sinceUs = same ? (known.challenger?.sinceUs ?? nowUs) : nowUs;
    const isGone = nowUs - known.heardAtUs >= REGISTRY_LIMITS.livingUs;
    if (isGone || nowUs - sinceUs >= REGISTRY_LIMITS.replacedAfterUs) {
      const doubt = doubtOf(report, undefined, nowUs);
      this.#entries.set(report.agent, { report, heardAtUs: nowUs, challenger: null, doubt });
      return { isNews: true };
    }
    // A third one waits until it is clear which of the first two lives.
    if (known.challenger === null || same) {
      this.#entries.set(report.agent, { ...known, challenger: { report, sinceUs } });
    }
    return { isNews: false };
  }

  #hearsBeacons(nowUs: number): boolean {
    return this.#beaconAtUs !== undefined && nowUs - this.#beaconAtUs <= REGISTRY_LIMITS.beaconLoopUs;
  }

  #forget(nowUs: number): void {
    if (nowUs - this.#tidiedAtUs < REGISTRY_LIMITS.tidyUs) return;
    this.#tidiedAtUs = nowUs;
    for (const [agent, { heardAtUs }] of this.#entries) {
      if (nowUs - heardAtUs >= REGISTRY_LIMITS.forgottenUs) this.#entries.delete(agent);
    }
    for (const [instance, { heardAtUs }] of this.#refused) {
      if (nowUs - heardAtUs >= REGISTRY_LIMITS.refusedUs) this.#refused.delete(instance);
    }
  }
}

function isStale(last: AgentReport, report: AgentReport): boolean {
  const { instance, seq } = last;
  return report.instance === instance && seq !== undefined && report.seq !== undefined && report.seq <= seq;
}

/** What is to be thought of the number of a heartbeat that is heeded. */
function doubtOf(report: AgentReport, known: Entry | undefined, nowUs: number): Doubt | null {
  const { plausibleLeap, undisputedUs } = REGISTRY_LIMITS;
  const last = known?.report.seq;
  if (report.seq === undefined) return null;
  if (known === undefined || last === undefined) return { aboveSeq: -1, sinceUs: nowUs };
  // It has healed: the number that was made up is gone.
  if (report.seq <= last) return null;
  const { doubt } = known;
  if (report.seq - last > plausibleLeap) return { aboveSeq: doubt?.aboveSeq ?? last, sinceUs: nowUs };
  return doubt !== null && nowUs - doubt.sinceUs >= undisputedUs ? null : doubt;
}

function differs(before: AgentReport, after: AgentReport): boolean {
  return (
    before.state !== after.state ||
    before.run !== after.run ||
    before.epoch !== after.epoch ||
    before.armedAttempt !== after.armedAttempt ||
    before.stageDone !== after.stageDone ||
    (before.ready === null) !== (after.ready === null) ||
    (before.problem === null) !== (after.problem === null)
  );
}
