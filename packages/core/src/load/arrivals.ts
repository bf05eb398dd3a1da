import { assert } from "../errors.js";
import { IndexedExponential, randomState, STREAMS } from "../random/random.js";
import type { RequestKey, Shard } from "./keys.js";
import type { ResolvedStage } from "./stages.js";

type RateStage = Extract<ResolvedStage, { kind: "rate" }>;

/** One request of an open load. */
export interface Arrival {
  readonly key: Extract<RequestKey, { kind: "open" }>;
  /** When it is due, integer us since the start of the first rate stage; never before the one ahead of it. */
  readonly dueUs: number;
}

export interface ArrivalOptions {
  /** As resolved; those that are no rate stages (the warm-up) are passed over. */
  readonly stages: readonly ResolvedStage[];
  readonly spacing: "even" | "poisson";
  readonly seed: number;
  readonly shard: Shard;
}

/**
 * The arrivals that a shard owns, in order of due time. Arrival k is due where the cumulative rate has reached
 * s_0 + ... + s_k, with s = 1 (even) or Exp(1) (Poisson): inverse of the integrated rate, in closed form per stage
 * (Cinlar, Introduction to Stochastic Processes, 1975, on time-changed Poisson processes). Each agent walks the whole
 * sequence and keeps every k that is its index modulo the number of agents, so nothing needs to be said to anyone.
 */
export function* arrivals(options: ArrivalOptions): IterableIterator<Arrival> {
  const { shard } = options;
  assert(shard.index >= 0 && shard.index < shard.count, `shard ${shard.index} of ${shard.count}`);
  const walk = new ArrivalWalk(options);
  while (walk.advance(shard)) {
    yield { key: { kind: "open", stage: walk.stage, k: walk.k }, dueUs: walk.dueUs };
  }
}

/**
 * The same, with null wherever so many arrivals were walked since the last null, the shard's own or not: of a shard that has one
 * in thousands the way to the next is long, and whoever has other work can turn to it there.
 */
export function* pacedArrivals(
  options: ArrivalOptions & { readonly steps: number },
): IterableIterator<Arrival | null> {
  const { shard, steps } = options;
  const walk = new ArrivalWalk(options);
  let pauseAt = steps - 1;
  for (;;) {
    const place = walk.advanceTo(pauseAt, shard);
    if (place === "over") return;
    if (place === "own") yield { key: { kind: "open", stage: walk.stage, k: walk.k }, dueUs: walk.dueUs };
    if (walk.k < pauseAt) continue;
    pauseAt += steps;
    yield null;
  }
}

/** How many arrivals the rate profile promises: its integral. A Poisson load differs by some square root of it. */
export function expectedArrivals(stages: readonly ResolvedStage[]): number {
  return stages.reduce((sum, stage) => sum + (stage.kind === "rate" ? arrivalsOf(stage) : 0), 0);
}

/**
 * Rounding of the cumulative rate, in arrivals: one so little past a stage's end belongs to it, so that 33.3 a second
 * over 60 s are 1998, not 1997.
 */
const EDGE_TOLERANCE = 1e-6;

/** The sequence as a cursor: no object per arrival that is passed over. */
export class ArrivalWalk {
  readonly #stages: readonly RateStage[];
  readonly #exponential: IndexedExponential | null;
  /** Place in the list of rate stages, and what is known of it. */
  #at = 0;
  #startUs = 0;
  /** Sum of the arrivals of the stages before. */
  #arrivalsBefore = 0;
  #arrivalsHere: number;
  #reached = 0;
  #k = -1;
  #dueUs = 0;

  constructor(options: Omit<ArrivalOptions, "shard">) {
    this.#stages = options.stages.filter((stage) => stage.kind === "rate");
    this.#exponential =
      options.spacing === "poisson"
        ? new IndexedExponential(randomState(options.seed, STREAMS.arrivals, []))
        : null;
    const first = this.#stages[0];
    this.#arrivalsHere = first === undefined ? 0 : arrivalsOf(first);
  }

  /** Number of the arrival, over all stages. */
  get k(): number {
    return this.#k;
  }

  /** Index of its stage in `resolveStages(plan)`. */
  get stage(): number {
    return this.#stages[this.#at]?.index ?? -1;
  }

  get dueUs(): number {
    return this.#dueUs;
  }

  /** Goes to the next arrival of the shard; false after the last one. */
  advance(shard: Shard): boolean {
    return this.advanceTo(Number.POSITIVE_INFINITY, shard) === "own";
  }

  /** The same, but no further than to arrival `lastK`: "other" where it stands there, and that is none of the shard's. */
  advanceTo(lastK: number, shard: Shard): "own" | "other" | "over" {
    do {
      if (this.#k >= lastK) return "other";
      this.#k += 1;
      // Even spacing counts, it does not add up: there is nothing that could drift.
      this.#reached =
        this.#exponential === null ? this.#k + 1 : this.#reached + this.#exponential.at(this.#k);
      if (!this.#reachStage()) return "over";
    } while (this.#k % shard.count !== shard.index);
    this.#dueUs = this.#due();
    return "own";
  }

  /** Moves on to the stage in which the cumulative rate gets that far. */
  #reachStage(): boolean {
    for (;;) {
      const stage = this.#stages[this.#at];
      if (stage === undefined) return false;
      const here = this.#arrivalsHere;
      if (here > 0 && this.#reached - this.#arrivalsBefore <= here + EDGE_TOLERANCE) return true;
      this.#arrivalsBefore += here;
      this.#startUs += stage.durationUs;
      this.#at += 1;
      const next = this.#stages[this.#at];
      this.#arrivalsHere = next === undefined ? 0 : arrivalsOf(next);
    }
  }

  #due(): number {
    const stage = this.#stages[this.#at];
    assert(stage !== undefined, "an arrival lies in a stage");
    const wanted = Math.max(0, this.#reached - this.#arrivalsBefore);
    const offsetUs = Math.round(timeOf(stage, wanted) * 1e6);
    // A stage is half open: what falls on its end is due in its last microsecond, so that key and time agree.
    return this.#startUs + Math.min(offsetUs, Math.max(0, stage.durationUs - 1));
  }
}

/** Integral of a stage's rate over its length. */
function arrivalsOf(stage: RateStage): number {
  return ((stage.durationUs / 1e6) * (stage.fromRps + stage.toRps)) / 2;
}

/** Seconds into the stage at which its cumulative rate, from t + (to - from) t^2 / 2D, reaches `wanted`. */
function timeOf(stage: RateStage, wanted: number): number {
  const { fromRps, toRps } = stage;
  if (fromRps === toRps) return wanted / fromRps;
  if (wanted === 0) return 0;
  // The form of the quadratic's root that subtracts nothing from itself.
  const slope = (toRps - fromRps) / (stage.durationUs / 1e6);
  const root = Math.sqrt(Math.max(0, fromRps * fromRps + 2 * slope * wanted));
  return (2 * wanted) / (fromRps + root);
}
