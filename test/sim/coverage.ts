import type { LinkCounts } from "@tokenstorm/testkit";
import { FAULT_STATES, type FaultState } from "./faults.js";

/**
 * What happened in one seed, by name. Merges of neighbouring intervals are not among it: an outbox merges none (docs/reliability.md,
 * *Not built, or not shown*). Whoever adds to the scenario adds the name of what it must bring about.
 */
export type Coverage = ReadonlyMap<string, number>;

const HAPPENINGS = [
  "redeliveries",
  "reorders",
  "duplicates",
  "losses",
  "messages held up by a cut",
  "lost acknowledgements",
  "lost entries",
  "lost answers",
  "resends",
  "partitions",
  "all agents cut off",
  "takeovers",
  "beacons of a replaced leader",
  "clocks asked again",
  "clocks compared again",
  "leaders paused",
  "leaders closed",
  "agents paused",
  "agents killed",
  "agents come late",
  "agents gone on without",
  "agents found again",
  "shards taken over",
  "NATS restarts",
  "stops",
  "stopped while nobody led",
  "state stores wiped",
  "leases deleted",
  "logs wiped",
  "logs filled",
  "appends refused",
  "disks filled",
  "results of another epoch",
  "wall clocks wrong by minutes",
  "wall clocks stepped",
  "requests failed",
  "given-up intervals",
  "spooled results",
  "intervals named missing",
  "onlookers",
  "runs completed",
  "runs failed",
  "runs aborted",
] as const;
export type Happening =
  | (typeof HAPPENINGS)[number]
  | `leader ${"killed" | "restarted"} in ${FaultState}`
  | `agent restarted in ${FaultState}`
  | `taken over in ${FaultState}`;

/** All that some seed must have done. */
export const COVERED: readonly Happening[] = [
  ...HAPPENINGS,
  ...FAULT_STATES.map((state) => `leader killed in ${state}` as const),
  ...FAULT_STATES.map((state) => `leader restarted in ${state}` as const),
  ...FAULT_STATES.map((state) => `agent restarted in ${state}` as const),
  ...FAULT_STATES.map((state) => `taken over in ${state}` as const),
];

/** Counts one seed's happenings. */
export class Happenings {
  readonly #counts = new Map<Happening, number>();

  count(what: Happening, times = 1): void {
    this.#counts.set(what, (this.#counts.get(what) ?? 0) + times);
  }

  coverage(link: LinkCounts): Coverage {
    const counts = new Map<string, number>(this.#counts);
    counts.set("redeliveries", link.repeated + link.resent + link.lostAcks);
    counts.set("reorders", link.reordered);
    counts.set("duplicates", link.duplicated);
    counts.set("losses", link.lost);
    counts.set("messages held up by a cut", link.held);
    counts.set("lost acknowledgements", link.lostAcks);
    counts.set("lost entries", link.lostEntries);
    counts.set("lost answers", link.lostAnswers);
    counts.set("resends", link.resent);
    counts.set("appends refused", link.refused);
    counts.set("partitions", link.cuts);
    return counts;
  }
}

/** What all seeds together have done. */
export class CoverageSum {
  readonly #sums = new Map<string, number>(COVERED.map((name) => [name, 0]));

  add(coverage: Coverage): void {
    for (const [name, count] of coverage) this.#sums.set(name, (this.#sums.get(name) ?? 0) + count);
  }

  /** What no seed did: the simulation has not shown it then. */
  never(): string[] {
    return [...this.#sums].filter(([, count]) => count === 0).map(([name]) => name);
  }

  text(): string {
    return textOf(this.#sums);
  }
}

export function textOf(coverage: Coverage): string {
  return [...coverage]
    .filter(([, count]) => count > 0)
    .map(([name, count]) => `${name} ${count}`)
    .join(", ");
}
