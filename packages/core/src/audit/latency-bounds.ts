import type { ClaimedRow, LatencyFigures } from "./audit-types.js";
import type { Figure } from "./figure.js";
import { say, saySeconds } from "./say.js";

/** A bound on the mean latency, seconds, and the words for where it comes from. */
export interface MeanBound {
  readonly seconds: number;
  readonly because: string;
}

/**
 * The most that the mean can be. Where only percentiles are known, each request counts with the next percentile above
 * it and those above the last with the longest latency, for which the run's own length stands if nothing better does.
 */
export function highestMean(
  row: ClaimedRow,
  { runS, count }: { readonly runS: Figure | undefined; readonly count: number | undefined },
): MeanBound | undefined {
  const { mean, max, percentiles } = row.latencyS;
  if (mean !== undefined) return { seconds: mean.high, because: `mean latency ${saySeconds(mean.value)}` };
  const longest = longestLatency(row, runS);
  if (longest === undefined) return undefined;
  let sum = 0;
  let before = 0;
  for (const { percentile, value } of percentiles) {
    const share = shareAtOrBelow(percentile, count);
    if (share <= before) continue;
    sum += (share - before) * value.high;
    before = share;
  }
  const names = percentiles.map(({ percentile }) => `p${percentile}`).join(", ");
  const rest = `${say((1 - before) * 100)} % of the requests beyond ${max === undefined ? "as long as the run" : "as the maximum"}, ${saySeconds(longest)}`;
  const seconds = Math.min(longest, sum + (1 - before) * longest);
  return {
    seconds,
    because: `mean latency at most ${saySeconds(seconds)}${names === "" ? "" : ` (from ${names}; ${rest})`}`,
  };
}

/** No request of a whole run lasted longer than the run. */
function longestLatency(row: ClaimedRow, runS: Figure | undefined): number | undefined {
  const { max } = row.latencyS;
  if (max !== undefined) return max.high;
  if (row.isWindow === true || row.latencyS.percentiles.length === 0) return undefined;
  return runS !== undefined && Number.isFinite(runS.high) ? runS.high : undefined;
}

/** The least that the mean can be: so many requests took at least so long. Needs the number of requests. */
export function lowestMean({ latencyS }: ClaimedRow, count: number | undefined): number | undefined {
  if (latencyS.mean !== undefined) return latencyS.mean.low;
  return lowestFromPercentiles(latencyS, count)?.seconds;
}

/** By the one percentile that says most. */
export function lowestFromPercentiles(
  { percentiles }: LatencyFigures,
  count: number | undefined,
): { readonly seconds: number; readonly percentile: number; readonly share: number } | undefined {
  if (count === undefined || count === 0) return undefined;
  const bounds = percentiles.map(({ percentile, value }) => {
    const share = shareAtOrAbove(percentile, count);
    return { seconds: share * value.low, percentile, share };
  });
  return bounds.reduce<(typeof bounds)[number] | undefined>(
    (best, one) => (best === undefined || one.seconds > best.seconds ? one : best),
    undefined,
  );
}

/**
 * Share of a sample that lies at or below its percentile, whatever rule made it: nearest rank, or any interpolation
 * between Hyndman and Fan's outermost ones ("Sample Quantiles in Statistical Packages", 1996, types 6 and 7).
 */
export function shareAtOrBelow(percentile: number, count: number | undefined): number {
  const p = percentile / 100;
  if (count === undefined) return p;
  const position = Math.max(0, Math.min((count - 1) * p, (count + 1) * p - 1));
  return Math.min(count, Math.floor(position + 1e-9) + 1) / count;
}

/** The same for at or above. At least one value is, or the percentile would be none of the sample. */
export function shareAtOrAbove(percentile: number, count: number): number {
  const p = percentile / 100;
  const position = Math.max((count - 1) * p, (count + 1) * p - 1);
  return Math.max(1, count - Math.ceil(position - 1e-9)) / count;
}
