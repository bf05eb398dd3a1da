import type { ServerSample } from "../run/facts.js";
import type { StageReport } from "../run/report.js";
import { timesBetween } from "./server-window.js";

/** What the rules look at in a level; a row of the report is one. */
export interface LimitRow
  extends Pick<
    StageReport,
    "name" | "tooShort" | "inFlight" | "server" | "requests" | "drops" | "windowStartUs" | "windowMs"
  > {
  readonly rates: Pick<StageReport["rates"], "outputTokensPerS">;
  readonly latencyUs: {
    readonly itl: Pick<StageReport["latencyUs"]["itl"], "mean" | "p50">;
    readonly scheduleLag: Pick<StageReport["latencyUs"]["scheduleLag"], "p99">;
  };
}

/** How the target's gauges stood in a level's window. */
export interface Gauges {
  readonly scrapes: number;
  /** Scrapes that found requests waiting. */
  readonly waitingScrapes: number;
  /** Of those, in how many as many ran as ever did, within `FLAT_SHARE`. */
  readonly atBound: number;
  /** Most and fewest running in scrapes that found requests waiting; 0 without any. */
  readonly runningMost: number;
  readonly runningFewest: number;
}

/** Running within this share of the most (one request at least) is at the bound. */
const FLAT_SHARE = 0.1;

export function gaugesOf(row: LimitRow, samples: readonly ServerSample[]): Gauges {
  const toUs = row.windowStartUs + row.windowMs * 1000;
  const inside = samples.filter(({ tUs }) => tUs >= row.windowStartUs && tUs <= toUs);
  const running = inside.filter(({ waiting }) => waiting > 0).map((sample) => sample.running);
  const runningMost = running.reduce((most, one) => Math.max(most, one), 0);
  const least = runningMost - Math.max(1, FLAT_SHARE * runningMost);
  return {
    scrapes: inside.length,
    waitingScrapes: running.length,
    atBound: running.filter((one) => one >= least).length,
    runningMost,
    runningFewest: running.reduce((fewest, one) => Math.min(fewest, one), runningMost),
  };
}

/**
 * What more in flight brought. Elasticities: by which power of in-flight the figure grew, so 1 is in proportion and 0 is
 * not at all.
 */
export interface Growth {
  readonly from: { readonly name: string; readonly inFlight: number; readonly itlUs: number };
  readonly to: { readonly name: string; readonly inFlight: number; readonly itlUs: number };
  readonly output: number;
  readonly itl: number;
  /** From the levels' rows, or within one level from the target's own scrapes. */
  readonly source: "levels" | "scrapes";
}

/** In flight must differ by this factor, or its growth says nothing. */
export const LEVELS_APART = 1.25;
/** Within one level, the target must have been seen at this share of its load or less. */
const LIGHT_SHARE = 0.5;
/** Tokens of the light time that its mean needs. */
const LIGHT_TOKENS = 100;

/** From the level next below, else from the target's own inter-token time while it was lightly loaded. */
export function growthTo(
  top: LimitRow,
  rows: readonly LimitRow[],
  samples: readonly ServerSample[],
): Growth | null {
  return growthOfLevels(top, rows) ?? growthOfScrapes(top, samples);
}

function growthOfLevels(top: LimitRow, rows: readonly LimitRow[]): Growth | null {
  const below = rows
    .filter(
      (row) => row.windowMs > 0 && !row.tooShort && row.inFlight.mean > 0 && row.rates.outputTokensPerS > 0,
    )
    .filter((row) => row.inFlight.mean * LEVELS_APART <= top.inFlight.mean)
    .toSorted((a, b) => b.inFlight.mean - a.inFlight.mean)[0];
  if (below === undefined || top.rates.outputTokensPerS <= 0) return null;
  const isServers = isPositive(below.server.itlMeanUs) && isPositive(top.server.itlMeanUs);
  const itlOf = (row: LimitRow) => (isServers ? row.server.itlMeanUs : row.latencyUs.itl.mean);
  const [fromItl, toItl] = [itlOf(below), itlOf(top)];
  if (!isPositive(fromItl) || !isPositive(toItl)) return null;
  const scale = Math.log(top.inFlight.mean / below.inFlight.mean);
  return {
    from: { name: below.name, inFlight: below.inFlight.mean, itlUs: fromItl },
    to: { name: top.name, inFlight: top.inFlight.mean, itlUs: toItl },
    output: Math.log(top.rates.outputTokensPerS / below.rates.outputTokensPerS) / scale,
    itl: Math.log(toItl / fromItl) / scale,
    source: "levels",
  };
}

/** A request that runs gets a token per inter-token time: output goes as running / ITL. */
function growthOfScrapes(top: LimitRow, samples: readonly ServerSample[]): Growth | null {
  const { runningMean, itlMeanUs } = top.server;
  if (!isPositive(runningMean) || !isPositive(itlMeanUs)) return null;
  const light = lightTime(samples, LIGHT_SHARE * runningMean);
  if (light === null) return null;
  const scale = Math.log(runningMean / light.running);
  const itl = Math.log(itlMeanUs / light.itlUs) / scale;
  return {
    from: { name: "", inFlight: light.running, itlUs: light.itlUs },
    to: { name: top.name, inFlight: runningMean, itlUs: itlMeanUs },
    output: 1 - itl,
    itl,
    source: "scrapes",
  };
}

/** Mean ITL between neighbouring scrapes that both found something running, and no more than `most`. */
function lightTime(samples: readonly ServerSample[], most: number) {
  const inOrder = samples.toSorted((a, b) => a.tUs - b.tUs);
  let [sumUs, count, running] = [0, 0, 0];
  for (const [i, after] of inOrder.entries()) {
    const before = inOrder[i - 1];
    if (before === undefined || before.running < 1 || after.running < 1) continue;
    const grown = timesBetween(before, after, "itl");
    if (grown === null || Math.max(before.running, after.running) > most) continue;
    sumUs += grown.sumUs;
    count += grown.count;
    running += ((before.running + after.running) / 2) * grown.count;
  }
  return count < LIGHT_TOKENS || sumUs <= 0 ? null : { itlUs: sumUs / count, running: running / count };
}

function isPositive(value: number | null | undefined): value is number {
  return value !== null && value !== undefined && value > 0;
}
