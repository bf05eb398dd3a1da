import { type Noise, type Point, slopeOf } from "./plateau.js";

/** Where the rising part meets the plateau, in requests in flight. */
export interface Knee {
  readonly inFlight: number;
  readonly low: number;
  readonly high: number;
  /**
   * `service`: as many as had their turn while the others waited. `crossing`: where the rising levels, continued, reach
   * the plateau's throughput.
   */
  readonly by: "service" | "crossing";
}

interface Parts {
  readonly rising: readonly Point[];
  readonly plateau: readonly Point[];
  /** Of the plateau, with its relative standard error. */
  readonly throughput: number;
  readonly error: number;
  readonly noise: Noise;
}

/** Rising levels that are continued: nearer ones say more. */
const CONTINUED = 3;
/** Times as steep as it was, the time between the last rising level and the limit may grow. */
const STEEPER = 1.1;

/** Null without a level below the plateau. */
export function findKnee(parts: Parts): Knee | null {
  const bracket = bracketOf(parts);
  return bracket === null ? null : byCrossing(parts, bracket);
}

interface Bracket {
  readonly low: number;
  readonly high: number;
}

/** Above the last level that is still below the plateau; not far above the first that is on it, by as much as its noise leaves open. */
function bracketOf({ rising, plateau, noise }: Parts): Bracket | null {
  const [below, first, second] = [rising.at(-1), plateau[0], plateau[1]];
  if (below === undefined || first === undefined) return null;
  const steepness = Math.max(0.1, slopeOf([below, first]).value);
  const open = first.inFlight * (1 + (noise.factor * first.error) / steepness);
  return { low: below.inFlight, high: Math.min(second?.inFlight ?? open, open) };
}

/**
 * Asymptotes of a closed system (Denning and Buzen 1978), with a time N / X that grows along a line below the limit, as a step's does
 * with the number of sequences in it; beyond, N / X = N / plateau. The interval holds both a time that grows no further and
 * one that grows a tenth faster than it did, each with the throughputs at the ends of their own intervals.
 */
function byCrossing({ rising, throughput, error, noise }: Parts, bracket: Bracket): Knee {
  const near = rising.slice(-CONTINUED);
  const last = near.at(-1);
  // What a single level leads to nobody knows: anything up to the first level of the plateau.
  const isAlone = near.length < 2;
  const slope = isAlone ? Number.POSITIVE_INFINITY : timeSlope(near);
  const cross = (growth: number, change: number): number => {
    if (last === undefined) return bracket.low;
    const time = last.inFlight / last.throughput / (1 + change * noise.factor * last.error);
    const plateau = throughput * (1 - change * noise.factor * error);
    const rest = 1 / plateau - growth;
    return rest <= 0 ? bracket.high : (time - growth * last.inFlight) / rest;
  };
  const within = (value: number) => Math.min(bracket.high, Math.max(bracket.low, value));
  // How the time goes on growing between the levels nobody measured: the middle of both.
  const middle = Math.sqrt(within(cross(0, 0)) * within(cross(slope, 0)));
  const steepest = STEEPER * (isAlone ? slope : Math.max(slope, timeSlope(near.slice(-2))));
  const ends = [cross(0, 1), cross(steepest, 1), cross(0, -1), cross(steepest, -1)].map(within);
  return {
    inFlight: middle,
    low: Math.min(...ends),
    high: Math.max(...ends),
    by: "crossing",
  };
}

/** Of N / X over N, by least squares; never falling. */
function timeSlope(points: readonly Point[]): number {
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [n, time] = [points.map((one) => one.inFlight), points.map((one) => one.inFlight / one.throughput)];
  const [middle, height] = [mean(n), mean(time)];
  const squares = n.reduce((sum, value) => sum + (value - middle) ** 2, 0);
  if (squares === 0) return 0;
  return Math.max(
    0,
    n.reduce((sum, value, i) => sum + (value - middle) * ((time[i] ?? 0) - height), 0) / squares,
  );
}
