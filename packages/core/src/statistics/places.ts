import type { Knee } from "./knee.js";
import { meanOf, type Noise, type Point, type ServedSource, slopeOf, span } from "./plateau.js";

/** A server that serves so many at once and lets the others wait: a bound on sequences, or a full KV cache. */
export interface Places {
  readonly knee: Knee;
  readonly source: ServedSource;
  /** The highest levels, at which the same number was served. */
  readonly waiting: readonly Point[];
  /** The levels before, over what was *served* at each. */
  readonly below: readonly Point[];
  /** All of `waiting` as one level with as many in flight as were served. */
  readonly limit: Point;
}

/** Numbers served that differ by more do not come from one limit. */
const SAME_SERVICE = 1.1;
/** Of those in flight; where less are served, others wait. */
const ALL_SERVED = 0.95;

interface PlacesRule {
  readonly leastSpan: number;
  readonly flatElasticity: number;
  /** Whether the throughput of the highest levels was proven to be flat. */
  readonly isFlat: boolean;
}

/**
 * The highest levels, as long as the same number is served at each while more and more are in flight. Throughput alone does not tell
 * a hard limit: it may grow slowly before (a level under the limit passes for a part of the plateau), and falls behind it where
 * preempted requests are computed again. What the server counts as running goes before what follows from the client's times:
 * a preempted request waits after its first token as well.
 */
export function findPlaces(points: readonly Point[], noise: Noise, rule: PlacesRule): Places | null {
  return placesBy("server", points, { noise, rule }) ?? placesBy("timing", points, { noise, rule });
}

function placesBy(
  source: ServedSource,
  points: readonly Point[],
  { noise, rule }: { readonly noise: Noise; readonly rule: PlacesRule },
): Places | null {
  const served = points.map((point) => point.served[source]?.mean ?? null);
  const waits = (i: number) => (served[i] ?? Infinity) < ALL_SERVED * (points[i]?.inFlight ?? 0);
  const isOne = (from: number) => {
    const values = served.slice(from);
    if (!values.every((value) => value !== null)) return false;
    return Math.max(...values) <= SAME_SERVICE * Math.min(...values);
  };
  const from = points.findIndex((_, i) => waits(i) && isOne(i));
  const [waiting, before] = [points.slice(from), points.slice(0, from)];
  const [first, top] = [waiting[0], waiting.at(-1)];
  if (from < 0 || first === undefined || top === undefined) return null;
  // By the client's times, fewer served at a level that had a queue as well means that there is no one limit.
  if (source === "timing" && before.some((_, i) => waits(i))) return null;
  const isProven = span(first, top) >= rule.leastSpan;
  if (!isProven && !rule.isFlat) return null;
  if (waiting.length > 1) {
    const slope = slopeOf(waiting);
    if (slope.value - noise.factor * slope.error > rule.flatElasticity) return null;
  }
  return { source, waiting, ...limitOf(waiting, { source, noise }), below: overServed(before, source) };
}

function limitOf(
  waiting: readonly Point[],
  { source, noise }: { readonly source: ServedSource; readonly noise: Noise },
): Pick<Places, "knee" | "limit"> {
  const { throughput, error } = meanOf(waiting);
  const levels = waiting.flatMap(({ served, error: ofRate }) => {
    const own = served[source];
    // With one repeat nothing is known of its spread: by Little's law it varies as the throughput does.
    return own === null ? [] : [{ mean: own.mean, slack: noise.factor * (own.error ?? ofRate) }];
  });
  const inFlight = levels.reduce((sum, { mean }) => sum + mean, 0) / levels.length;
  const knee = {
    inFlight,
    low: Math.min(...levels.map(({ mean, slack }) => mean * Math.max(0, 1 - slack))),
    high: Math.max(...levels.map(({ mean, slack }) => mean * (1 + slack))),
    by: "service",
  } as const;
  const nobody = { server: null, timing: null };
  return { knee, limit: { inFlight, throughput, error, waitingShare: null, served: nobody } };
}

/** What waits does no work: where some do, throughput stands over what had its turn. */
function overServed(points: readonly Point[], source: ServedSource): Point[] {
  return points.map((point) => {
    const served = point.served[source]?.mean ?? point.inFlight;
    return served < ALL_SERVED * point.inFlight ? { ...point, inFlight: served } : point;
  });
}
