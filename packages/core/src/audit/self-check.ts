import { AUDIT_LIMITS, type AuditRule, type ClaimedRow, type Finding } from "./audit-types.js";
import { exact, type Figure, product, quotient } from "./figure.js";
import type { Derived } from "./in-flight.js";
import { lowestFromPercentiles, lowestMean } from "./latency-bounds.js";
import { say, saySeconds, sayShare } from "./say.js";

const TOLERANCE = AUDIT_LIMITS.tolerance;
const WITHIN = `beyond rounding and a tolerance of ${sayShare(TOLERANCE)}`;

/** Numbers of one row that exclude each other, whatever was in flight. */
export function contradictions(row: ClaimedRow, derived: Derived): Finding[] {
  return [
    ...latencyOrder(row),
    ...meanInRange(row, derived),
    ...capacity(row, derived),
    ...rateAndDuration(row, derived),
    ...tokens(row, derived),
    ...success(row),
  ];
}

const impossible = (rule: AuditRule, sentence: string): Finding => ({ kind: "impossible", rule, sentence });

const isAbove = (low: number, high: number): boolean => low > high * (1 + TOLERANCE);

function areApart(a: Figure, b: Figure): boolean {
  return isAbove(a.low, b.high) || isAbove(b.low, a.high);
}

/** Minimum, percentiles and maximum rise. */
function latencyOrder({ latencyS }: ClaimedRow): Finding[] {
  const { min, max, percentiles } = latencyS;
  const inOrder = [
    ...(min === undefined ? [] : [{ name: "minimum", value: min }]),
    ...percentiles.map(({ percentile, value }) => ({ name: `p${percentile}`, value })),
    ...(max === undefined ? [] : [{ name: "maximum", value: max }]),
  ];
  return inOrder.flatMap((upper, at) => {
    const lower = inOrder[at - 1];
    if (lower === undefined || !isAbove(lower.value.low, upper.value.high)) return [];
    const says = `${lower.name} ${saySeconds(lower.value.value)} > ${upper.name} ${saySeconds(upper.value.value)}`;
    return [impossible("percentile-order", `latency falls where it must rise: ${says}, ${WITHIN}`)];
  });
}

/** The mean lies between the extremes, and so many requests cannot be slow without moving it. */
function meanInRange({ latencyS }: ClaimedRow, { completed, requests }: Derived): Finding[] {
  const { mean, min, max } = latencyS;
  if (mean === undefined) return [];
  if (max !== undefined && isAbove(mean.low, max.high)) {
    const says = `mean latency ${saySeconds(mean.value)} > maximum ${saySeconds(max.value)}`;
    return [impossible("mean-in-range", `${says}, ${WITHIN}`)];
  }
  if (min !== undefined && isAbove(min.low, mean.high)) {
    const says = `mean latency ${saySeconds(mean.value)} < minimum ${saySeconds(min.value)}`;
    return [impossible("mean-in-range", `${says}, ${WITHIN}`)];
  }
  const least = lowestFromPercentiles(latencyS, completed ?? requests);
  if (least === undefined || !isAbove(least.seconds, mean.high)) return [];
  const says = `mean latency ${saySeconds(mean.value)}, but ${sayShare(least.share)} of the requests took at least p${least.percentile}, which alone makes ${saySeconds(least.seconds)}`;
  return [impossible("mean-in-range", `${says}, ${WITHIN}`)];
}

/**
 * Little's law from the other side: more in flight than the label lets in. Completions may belong to a window and
 * latencies to the requests due in it, so one request per user is granted at the edges.
 */
function capacity(row: ClaimedRow, { rate, requests, completed, atMost }: Derived): Finding[] {
  const seconds = lowestMean(row, completed ?? requests);
  if (seconds === undefined || rate === undefined || row.concurrency === undefined) return [];
  const least = rate.perS.low * seconds;
  const cap = Math.min(row.concurrency, atMost?.value ?? Number.POSITIVE_INFINITY);
  const edges = requests === undefined || requests === 0 ? 0.1 : row.concurrency / requests;
  if (!(least > cap * (1 + TOLERANCE + edges))) return [];
  const has = `${rate.because} x mean latency of at least ${saySeconds(seconds)} is at least ${say(least)} in flight on average`;
  const allows =
    cap < row.concurrency
      ? `${say(cap)} could be at a time`
      : `${say(row.concurrency)} were let in at a time`;
  const grants = `beyond rounding, a tolerance of ${sayShare(TOLERANCE)} and ${sayShare(edges)} for the edges`;
  const perhaps = "the latency may include waiting before the request was sent";
  return [impossible("capacity", `${has}, but ${allows}: ${grants} (${perhaps})`)];
}

/** n = X T. A window's edges carry requests over, so only whole runs are held to it. */
function rateAndDuration(row: ClaimedRow, { requests, completed }: Derived): Finding[] {
  const { requestsPerS, durationS } = row;
  if (requestsPerS === undefined || durationS === undefined || row.isWindow === true) return [];
  const made = product(requestsPerS, durationS);
  const most = requests ?? completed;
  const least = completed ?? requests;
  if (most === undefined || least === undefined) return [];
  const counted = least === most ? say(most) : `${say(least)} to ${say(most)}`;
  if (!isAbove(made.low, most) && !isAbove(least, made.high)) return [];
  const sum = `${say(requestsPerS.value)} requests/s x ${saySeconds(durationS.value)} = ${say(made.value)} requests`;
  return [impossible("rate-and-duration", `${sum}, but ${counted} are claimed: apart ${WITHIN}`)];
}

/** Tokens per second are requests per second times tokens per request. */
function tokens(row: ClaimedRow, { completed, requests }: Derived): Finding[] {
  if (row.isWindow === true) return [];
  const done = completed ?? requests;
  const perS =
    row.requestsPerS ??
    (done === undefined || row.durationS === undefined ? undefined : quotient(exact(done), row.durationS));
  if (perS === undefined) return [];
  const pairs = [
    [row.outputTokensPerS, row.outputTokensPerRequest, "output"],
    [row.totalTokensPerS, row.totalTokensPerRequest, "total"],
  ] as const;
  return pairs.flatMap(([tokensPerS, perRequest, name]) => {
    if (tokensPerS === undefined || perRequest === undefined) return [];
    const made = product(perS, perRequest);
    if (!areApart(made, tokensPerS)) return [];
    const sum = `${say(perS.value)} requests/s x ${say(perRequest.value)} ${name} tokens = ${say(made.value)} tok/s`;
    const so = "so that many tokens per request is not what came";
    return [impossible("tokens", `${sum}, but ${say(tokensPerS.value)} are claimed: apart ${WITHIN}, ${so}`)];
  });
}

function success(row: ClaimedRow): Finding[] {
  const { requests, completed, failed, successShare } = row;
  const found: string[] = [];
  if (requests !== undefined && completed !== undefined && completed > requests) {
    found.push(`${say(completed)} completed of ${say(requests)} requests`);
  }
  if (requests !== undefined && completed !== undefined && failed !== undefined) {
    const sum = completed + failed;
    if (sum > requests && completed <= requests) {
      found.push(
        `${say(completed)} completed + ${say(failed)} failed = ${say(sum)} of ${say(requests)} requests`,
      );
    }
  }
  const ended =
    requests ?? (completed !== undefined && failed !== undefined ? completed + failed : undefined);
  if (successShare !== undefined && completed !== undefined && ended !== undefined && ended > 0) {
    const share = completed / ended;
    // Half a unit of the last digit either way; shares are compared without a further tolerance: both are counts.
    if (share < successShare.low - 1e-9 || share > successShare.high + 1e-9) {
      const sum = `${say(completed)} / ${say(ended)} = ${sayShare(share)}`;
      found.push(`success ${sayShare(successShare.value)} is claimed, but ${sum}`);
    }
  }
  if (successShare !== undefined && successShare.low > 1)
    found.push(`success is ${sayShare(successShare.value)}`);
  return found.map((sentence) => impossible("success", `${sentence}: not so beyond rounding`));
}
