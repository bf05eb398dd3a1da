import type { Bound, ClaimedRow } from "./audit-types.js";
import { exact, type Figure, product, quotient } from "./figure.js";
import { highestMean } from "./latency-bounds.js";
import { say, sayAtMost, saySeconds } from "./say.js";

/** What follows from a row alone. */
export interface Derived {
  /** Requests sent in all, as far as the row tells. */
  readonly requests: number | undefined;
  readonly completed: number | undefined;
  readonly failed: number | undefined;
  /** Completed requests per second, and the words for where it comes from. */
  readonly rate: { readonly perS: Figure; readonly because: string } | undefined;
  /** Length of the run, seconds. */
  readonly runS: Figure | undefined;
  /** Most at one moment. */
  readonly atMost: Bound | undefined;
  /** Most on average. */
  readonly meanAtMost: Bound | undefined;
  readonly littleMean: Figure | undefined;
}

export function derive(row: ClaimedRow): Derived {
  const counts = countsOf(row);
  const rate = rateOf(row, counts.completed);
  // Rates are of the completed, or of all: with all of them the run is at least as long as it was.
  const done = counts.requests ?? counts.completed;
  const runS =
    row.durationS ??
    (rate === undefined || done === undefined ? undefined : quotient(exact(done), rate.perS));
  const { mean } = row.latencyS;
  return {
    ...counts,
    rate,
    runS,
    atMost: highestAtOnce(row, counts.requests),
    meanAtMost: highestOnAverage(row, { ...counts, rate, runS }),
    littleMean: mean === undefined || rate === undefined ? undefined : product(rate.perS, mean),
  };
}

function countsOf(row: ClaimedRow): Pick<Derived, "requests" | "completed" | "failed"> {
  const { successShare } = row;
  const both =
    row.completed !== undefined && row.failed !== undefined ? row.completed + row.failed : undefined;
  const requests = row.requests ?? both;
  const rounded =
    requests !== undefined && successShare !== undefined
      ? Math.round(requests * Math.min(1, successShare.value))
      : undefined;
  const completed =
    row.completed ?? (requests !== undefined && row.failed !== undefined ? requests - row.failed : rounded);
  const failed =
    row.failed ??
    (requests !== undefined && completed !== undefined ? Math.max(0, requests - completed) : undefined);
  return { requests, completed, failed };
}

/** Requests per second as printed, else from tokens, else from a count and a duration. */
function rateOf(row: ClaimedRow, completed: number | undefined): Derived["rate"] {
  const { requestsPerS, durationS } = row;
  if (requestsPerS !== undefined)
    return { perS: requestsPerS, because: `${say(requestsPerS.value)} requests/s` };
  const pairs = [
    [row.outputTokensPerS, row.outputTokensPerRequest, "output"],
    [row.totalTokensPerS, row.totalTokensPerRequest, "total"],
  ] as const;
  for (const [tokensPerS, perRequest, name] of pairs) {
    if (tokensPerS === undefined || perRequest === undefined) continue;
    const perS = quotient(tokensPerS, perRequest);
    const sum = `${say(tokensPerS.value)} ${name} tok/s / ${say(perRequest.value)} tokens per request`;
    return { perS, because: `${say(perS.value)} requests/s (${sum})` };
  }
  const done = completed ?? row.requests;
  if (done === undefined || durationS === undefined) return undefined;
  const perS = quotient(exact(done), durationS);
  return { perS, because: `${say(perS.value)} requests/s (${say(done)} in ${saySeconds(durationS.value)})` };
}

/** No more can be in flight at a moment than were sent in all, or than the tool itself saw. */
function highestAtOnce(row: ClaimedRow, requests: number | undefined): Bound | undefined {
  const bounds: Bound[] = [];
  if (requests !== undefined && row.isWindow !== true) {
    const because = `${say(requests)} requests were sent in all, so no more than ${say(requests)} were ever in flight`;
    bounds.push({ value: requests, rule: "count", because });
  }
  if (row.peakInFlight !== undefined) {
    const because = `the row's own count of requests in flight never passed ${say(row.peakInFlight)}`;
    bounds.push({ value: row.peakInFlight, rule: "peak", because });
  }
  return lowest(bounds);
}

/** Little's law, L = X W, with both at the upper end of what their printed digits allow. */
function highestOnAverage(
  row: ClaimedRow,
  {
    rate,
    runS,
    requests,
    completed,
    failed,
  }: Pick<Derived, "rate" | "runS" | "requests" | "completed" | "failed">,
): Bound | undefined {
  if (row.measuredInFlight !== undefined) {
    const value = row.measuredInFlight.high;
    return {
      value,
      rule: "little",
      because: `the row's own mean in flight is ${say(row.measuredInFlight.value)}`,
    };
  }
  const mean = highestMean(row, { runS, count: completed ?? requests });
  if (mean === undefined || rate === undefined) return undefined;
  const completedAtMost = rate.perS.high * mean.seconds;
  if (!Number.isFinite(completedAtMost)) return undefined;
  // A failed request is in flight too, for the whole run at worst, and no latency here speaks of it.
  const failures = failed ?? 0;
  const value = completedAtMost + failures;
  const extra =
    failed === undefined
      ? ", if none failed"
      : failures > 0
        ? `, and at most ${say(failures)} more for the failed ones`
        : "";
  const because = `Little's law allows ${sayAtMost(value)} on average, rounding included: ${rate.because} x ${mean.because}${extra}`;
  return { value, rule: "little", because };
}

export function lowest(bounds: readonly (Bound | undefined)[]): Bound | undefined {
  return bounds.reduce(
    (best, one) => (one === undefined || (best !== undefined && best.value <= one.value) ? best : one),
    undefined,
  );
}
