import { type ClockTrack, clockTracks } from "./clock-track.js";
import type { EventId, KeptEvent, QuiescentScrape, RunEvent, RunFacts, ServerSample } from "./facts.js";
import type { RunRecord } from "./run-record.js";

/** Who led, from which run time on; null before the start. */
export interface LedFrom {
  readonly leader: string;
  readonly term: number;
  readonly runUs: number | null;
}

/** What the leaders of a run found out beside its results. */
export interface RunFindings {
  readonly ready: Extract<RunEvent, { kind: "ready" }> | null;
  /** Undefined while it was not scraped; null where the target has no metrics. */
  readonly serverBefore: QuiescentScrape | null | undefined;
  readonly serverAfter: QuiescentScrape | null | undefined;
  /** Run time, us, and wall clock, ms, at the end of the drain; null before. */
  readonly drained: { readonly endUs: number; readonly wallMs: number } | null;
  /** By run time. */
  readonly serverSamples: readonly ServerSample[];
  readonly expected: readonly { readonly agent: string; readonly lastSeq: number }[];
  readonly refusals: number;
  /** By term. */
  readonly led: readonly LedFrom[];
  /** By term and agent. */
  readonly clocks: readonly ClockTrack[];
}

/**
 * Fold of a run's events, idempotent by (term, seq): whoever folds the same events, in whatever order, knows the same.
 * Of an event that two leaders noted, that of the higher term holds; "ready" and the scrape before are the first's, who
 * alone saw the run begin.
 */
export class RunHistory {
  readonly #events = new Map<string, KeptEvent>();

  /** False for one that is known. */
  add(kept: KeptEvent): boolean {
    const key = keyOf(kept);
    if (this.#events.has(key)) return false;
    this.#events.set(key, kept);
    return true;
  }

  /** Which events compare clocks. */
  clockEvents(): EventId[] {
    return [...this.#events.values()].flatMap(({ term, seq, event }) =>
      event.kind === "clocks" ? [{ term, seq }] : [],
    );
  }

  findings(): RunFindings {
    const kept = [...this.#events.values()].sort((a, b) => a.term - b.term || a.seq - b.seq);
    const events = kept.map(({ event }) => event);
    const of = <Kind extends RunEvent["kind"]>(kind: Kind) =>
      events.filter((event): event is Extract<RunEvent, { kind: Kind }> => event.kind === kind);
    const scrapes = of("scrape");
    const verdict = of("verdict").at(-1);
    const drained = of("drained").at(-1);
    return {
      ready: of("ready")[0] ?? null,
      serverBefore: scrapes.find(({ when }) => when === "before")?.scrape,
      serverAfter: scrapes.findLast(({ when }) => when === "after")?.scrape,
      drained: drained === undefined ? null : { endUs: drained.endUs, wallMs: drained.wallMs },
      serverSamples: of("server")
        .map(({ sample }) => sample)
        .sort((a, b) => a.tUs - b.tUs),
      expected: verdict?.expected ?? [],
      refusals: verdict?.refusals ?? 0,
      led: leadersOf(of("led")),
      clocks: clocksOf(kept, verdict?.clocks),
    };
  }
}

const keyOf = ({ term, seq }: EventId) => `${term}:${seq}`;

/** Up to the verdict all that are known; from then on those that it was made from. */
function clocksOf(kept: readonly KeptEvent[], judged: readonly EventId[] | undefined): ClockTrack[] {
  const known = judged === undefined ? null : new Set(judged.map(keyOf));
  return clockTracks(
    kept.flatMap((one) =>
      one.event.kind === "clocks" && known?.has(keyOf(one)) !== false
        ? [{ term: one.term, clocks: one.event.clocks }]
        : [],
    ),
  );
}

/** The last word on each term. */
function leadersOf(led: readonly Extract<RunEvent, { kind: "led" }>[]): LedFrom[] {
  const byTerm = new Map(led.map(({ leader, term, runUs }) => [term, { leader, term, runUs }]));
  return [...byTerm.values()].sort((a, b) => a.term - b.term);
}

/** A run's facts, by its record and what its leaders noted: for the leader at the verdict, and for anybody who looks on. */
export function factsOf(
  record: RunRecord,
  findings: RunFindings,
  { transport, version }: Pick<RunFacts, "transport" | "version">,
): RunFacts {
  const { ready, drained, serverBefore = null, serverAfter = null, refusals, led, clocks } = findings;
  return {
    schemaVersion: 1,
    record,
    transport,
    version,
    model: ready?.model ?? null,
    wordsPerToken: ready?.wordsPerToken ?? null,
    templateTokens: ready?.templateTokens ?? null,
    serverVersion: ready?.serverVersion ?? null,
    endedAtMs: drained?.wallMs ?? null,
    endUs: drained?.endUs ?? 0,
    serverBefore,
    serverAfter,
    refusals,
    led,
    clocks,
  };
}
