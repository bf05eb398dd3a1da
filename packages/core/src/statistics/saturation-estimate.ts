import { findKnee, type Knee } from "./knee.js";
import { percentText, type Unknown, unknown } from "./outcome.js";
import { findPlaces, type Places } from "./places.js";
import { isFlat, levelNoise, meanOf, mergeLevels, type Noise, type Point, slopeOf, span } from "./plateau.js";

/**
 * The rule; docs/statistics.md says why. A doubling of what is in flight that brings less than 5 % more is no growth: an
 * elasticity under log2(1.05).
 */
export const SATURATION_RULE = {
  flatElasticity: Math.log2(1.05),
  /** Of each one-sided test. */
  confidence: 0.95,
  /** Levels between which growth is judged lie at least so far apart. */
  leastSpan: 1.2,
  /** Levels that lie closer together are one. */
  sameInFlight: 1.05,
  /** Levels with less success are left out. */
  leastSuccess: 0.95,
  /** Relative spread that is assumed where no level has two values, and the least that is believed. */
  assumedNoise: 0.01,
  leastNoise: 0.001,
  /**
   * A last level so far under what the two before lead to expect, or whose requests waited so much more of their time, hides a knee
   * between it and the one before.
   */
  slowing: 0.1,
} as const;

/** A level as it was measured. */
export interface SaturationLevel {
  /** Time-weighted mean of requests in flight, measured. */
  readonly inFlight: number;
  /** Throughput of each repeat, or of equal parts of one window; any unit, the same for all. */
  readonly throughput: readonly number[];
  /** Share of requests that succeeded; left out where it is not known. */
  readonly success?: number | null;
  /** Mean time to first token over mean end-to-end time of each repeat: the share of its time that a request waited. */
  readonly waitingShares?: readonly number[];
  /** Requests that the server said to be running, mean of each repeat. */
  readonly serverRunning?: readonly number[];
}

/** Where throughput stops growing, in requests in flight. */
export type SaturationEstimate =
  | ({ readonly kind: "found"; readonly throughput: number; readonly sentence: string } & Knee)
  /** Already the lowest level is past it. */
  | {
      readonly kind: "at-most";
      readonly atMost: number;
      readonly throughput: number;
      readonly sentence: string;
    }
  /** It was still growing; `growth` is that of the throughput from `from` in flight to `to`. */
  | {
      readonly kind: "none";
      readonly upTo: number;
      readonly from: number;
      readonly to: number;
      readonly growth: number;
      readonly sentence: string;
    }
  | Unknown;

/**
 * Saturation from measured in-flight: is the throughput of the highest levels flat, and if so, where does the rising part reach it?
 * `found` has an interval; `none` says up to where it was looked for. Order of levels does not matter.
 */
export function saturationEstimate(levels: readonly SaturationLevel[]): SaturationEstimate {
  const usable = levels.filter(isUsable);
  const leftOut = levels.length - usable.length;
  const note =
    leftOut === 0
      ? ""
      : ` (${leftOut} of ${levels.length} levels left out: nothing measured, or under ${percentText(SATURATION_RULE.leastSuccess)} success)`;
  if (usable.length === 0) return unknown(`no level can be used${note}`);
  const noise = levelNoise(usable, SATURATION_RULE);
  const points = mergeLevels(usable, noise, SATURATION_RULE.sameInFlight);
  const top = points.at(-1);
  const pair =
    top === undefined ? -1 : points.findLastIndex((point) => span(point, top) >= SATURATION_RULE.leastSpan);
  if (top === undefined || pair < 0) {
    return unknown(
      `all levels had about ${round(top?.inFlight ?? 0)} in flight: growth shows between different ones${note}`,
    );
  }
  const flat = points.findIndex((_, i) => i <= pair && isFlat(points.slice(i), noise, SATURATION_RULE));
  const places = findPlaces(points, noise, { ...SATURATION_RULE, isFlat: flat >= 0 });
  const found =
    places !== null
      ? full(places, noise)
      : flat < 0
        ? notFlat(points, pair, noise)
        : saturated(points, flat, noise);
  if (found.kind === "unknown") return unknown(found.because + note);
  return { ...found, sentence: `${found.sentence}${assumed(noise)}${note}.` };
}

function isUsable({ inFlight, throughput, success }: SaturationLevel): boolean {
  return (
    isMeasured(inFlight) &&
    throughput.length > 0 &&
    throughput.every(isMeasured) &&
    (success === undefined || success === null || success >= SATURATION_RULE.leastSuccess)
  );
}

/** No server handles more or fewer; within these nothing that is reckoned overflows. */
const isMeasured = (value: number): boolean => value > 1e-9 && value < 1e15;

/** Where a queue stands at the top: as many as are served then, unless throughput had stopped growing before that. */
function full(places: Places, noise: Noise): SaturationEstimate {
  const { below, limit, knee } = places;
  const points = [...below, limit];
  const flat = points.findIndex(
    (point, i) =>
      span(point, limit) >= SATURATION_RULE.leastSpan &&
      isFlat(points.slice(i), noise, SATURATION_RULE) &&
      // A fall to the limit is what the limit costs (work of preempted requests that is done again), and no plateau before it.
      slopeOf(points.slice(i)).value > -SATURATION_RULE.flatElasticity,
  );
  const source = places.source === "server" ? "by its own count" : "by how long requests waited";
  if (flat >= 0) {
    const found = saturated(points, flat, noise);
    if (found.kind === "unknown") return found;
    const more = `; the server served about ${round(knee.inFlight)} at once (${source})`;
    return { ...found, sentence: `${found.sentence}${more}` };
  }
  const about = `About ${round(knee.inFlight)} in flight (${round(knee.low)} to ${round(knee.high)})`;
  const [first, top] = [places.waiting[0], places.waiting.at(-1)];
  const sentence =
    first === undefined || top === undefined || first === top
      ? `${about}: at ${round(top?.inFlight ?? 0)} in flight the server served no more at once (${source}), and the throughput no longer grows`
      : `${about}: from ${round(first.inFlight)} to ${round(top.inFlight)} in flight the server served no more at once (${source}), and the throughput changed by ${signed(top.throughput / first.throughput - 1)}`;
  return { kind: "found", ...knee, throughput: limit.throughput, sentence };
}

function saturated(points: readonly Point[], flat: number, noise: Noise): SaturationEstimate {
  const [rising, plateau] = [points.slice(0, flat), points.slice(flat)];
  const { throughput, error } = meanOf(plateau);
  const knee = findKnee({ rising, plateau, throughput, error, noise });
  const [first, top] = [plateau[0], plateau.at(-1)];
  const flatText = `from ${round(first?.inFlight ?? 0)} to ${round(top?.inFlight ?? 0)} in flight the throughput no longer grows`;
  if (knee === null) {
    const atMost = first?.inFlight ?? 0;
    return {
      kind: "at-most",
      atMost,
      throughput,
      sentence: `At or below ${round(atMost)} in flight: ${flatText}, and there is no lower level`,
    };
  }
  const sentence = `About ${round(knee.inFlight)} in flight (${round(knee.low)} to ${round(knee.high)}): ${flatText}`;
  return { kind: "found", ...knee, throughput, sentence };
}

function notFlat(points: readonly Point[], pair: number, noise: Noise): SaturationEstimate {
  const grows = (from: number): boolean => {
    const slope = slopeOf(points.slice(from));
    return slope.value - noise.factor * slope.error > SATURATION_RULE.flatElasticity;
  };
  const [from, top] = [points[pair], points.at(-1)];
  if (from === undefined || top === undefined) return unknown("there are no levels");
  const growth = top.throughput / from.throughput - 1;
  const isUp = slopeOf(points.slice(pair)).value > SATURATION_RULE.flatElasticity;
  const where = `from ${round(from.inFlight)} to ${round(top.inFlight)} in flight`;
  if (!(grows(pair) || (isUp && pair > 0 && grows(pair - 1)))) {
    const error = noise.factor * Math.hypot(from.error, top.error);
    return unknown(
      `${where} the throughput changed by ${signed(growth)}, +- ${percent(error)}: that is neither flat nor growth; more repeats or a higher level would tell`,
    );
  }
  const isSlowing = slows(points, pair, noise);
  const upTo = isSlowing ? from.inFlight : top.inFlight;
  const sentence = `None found up to ${round(upTo)} in flight: ${where} the throughput grew by ${percent(growth)}${isSlowing ? ", less than before; a higher level would tell whether it still does" : ""}`;
  return { kind: "none", upTo, from: from.inFlight, to: top.inFlight, growth, sentence };
}

/** Whether the last level lies clearly under the line that the time per step, N / X, had followed up to it, or waited more. */
function slows(points: readonly Point[], pair: number, noise: Noise): boolean {
  const [one, two, top] = [points[pair - 1], points[pair], points.at(-1)];
  if (two === undefined || top === undefined) return false;
  const { slowing } = SATURATION_RULE;
  if (top.waitingShare !== null && two.waitingShare !== null && top.waitingShare - two.waitingShare > slowing)
    return true;
  if (one === undefined) return false;
  const timeOf = ({ inFlight, throughput }: Point) => inFlight / throughput;
  const slope = (timeOf(two) - timeOf(one)) / (two.inFlight - one.inFlight);
  const expected = timeOf(two) + Math.max(0, slope) * (top.inFlight - two.inFlight);
  return timeOf(top) > expected * (1 + slowing + noise.factor * Math.hypot(two.error, top.error));
}

const assumed = (noise: Noise): string =>
  noise.isAssumed
    ? `; no level has two values, so that a spread of ${percentText(SATURATION_RULE.assumedNoise)} was assumed`
    : "";

const round = (value: number): string => {
  const digits = value < 10 ? value.toFixed(1) : Math.round(value).toString();
  return digits.replace(/\B(?=(\d{3})+$)/g, ",");
};
const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
const signed = (share: number): string => `${share < 0 ? "" : "+"}${percent(share)}`;
