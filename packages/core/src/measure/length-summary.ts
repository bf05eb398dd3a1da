import type { LengthSummary } from "../run/report.js";
import type { Histogram } from "./histogram.js";
import type { DueCounts } from "./snapshot.js";

/** Bars of a length histogram, at most. */
const MOST_BARS = 16;

/** How long completed answers were, beside what was asked for. */
export function lengthSummary(histogram: Histogram | undefined, due: DueCounts): LengthSummary {
  const askedMean = due.completed === 0 ? null : due.askedOutputTokens / due.completed;
  if (histogram === undefined || histogram.count === 0) {
    return { count: 0, askedMean, mean: null, min: null, p50: null, p90: null, max: null, histogram: [] };
  }
  const { count, sum, min, max } = histogram;
  return {
    count,
    askedMean,
    mean: sum / count,
    min,
    p50: histogram.percentile(50),
    p90: histogram.percentile(90),
    max,
    histogram: bars(histogram),
  };
}

/** Bars of one round width (1, 2 or 5 times a power of ten) from below the shortest to the longest. */
function bars(histogram: Histogram): LengthSummary["histogram"] {
  const { min, max } = histogram;
  let width = 1;
  while (Math.floor(max / width) - Math.floor(min / width) + 1 > MOST_BARS) width = nextRound(width);
  const found: { from: number; count: number }[] = [];
  for (let from = Math.floor(min / width) * width; from <= max; from += width) {
    found.push({
      from,
      count: histogram.countAtOrBelow(from + width - 1) - histogram.countAtOrBelow(from - 1),
    });
  }
  return found;
}

/** 1, 2, 5, 10, 20, ... */
function nextRound(width: number): number {
  const leading = Number(String(width)[0]);
  return leading === 2 ? width * 2.5 : width * 2;
}
