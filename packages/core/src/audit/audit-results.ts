import { shareLowerBound } from "../statistics/shares.js";
import {
  AUDIT_LIMITS,
  type AuditedRow,
  type AuditReport,
  type Bound,
  type ClaimedRow,
  FINDING_KINDS,
  type Finding,
} from "./audit-types.js";
import { type Derived, derive, lowest } from "./in-flight.js";
import { sameWorkBounds } from "./same-work.js";
import { say, sayAtMost, saySeconds } from "./say.js";
import { contradictions } from "./self-check.js";

/** Says of every row of a results table whether it can have had the concurrency that it claims. */
export function auditResults(rows: readonly ClaimedRow[]): AuditReport {
  const sameWork = sameWorkBounds(rows);
  const audited = rows.map((row) => auditRow(row, sameWork.get(row)));
  return {
    schemaVersion: 1,
    rows: audited,
    contradicted: audited.filter((row) => row.isContradicted).length,
    notSteady: audited.filter((row) => row.status === "not-steady").length,
    cannotJudge: audited.filter((row) => row.status === "cannot-judge").length,
    limits: AUDIT_LIMITS,
  };
}

function auditRow(row: ClaimedRow, sameWork: Bound | undefined): AuditedRow {
  const derived = derive(row);
  const mean = lowest([derived.meanAtMost, sameWork]);
  const findings = [
    ...contradictions(row, derived),
    ...label(row, { ...derived, meanAtMost: mean }),
    ...steadiness(row, derived),
    ...missing(row, { ...derived, meanAtMost: mean }),
  ];
  const status = FINDING_KINDS.find((kind) => findings.some((one) => one.kind === kind)) ?? "consistent";
  return {
    label: row.label,
    claimed: row.concurrency ?? null,
    requests: derived.requests ?? null,
    atMost: minimum(row.concurrency, derived.atMost?.value),
    meanAtMost: mean === undefined ? null : Math.min(mean.value, derived.atMost?.value ?? mean.value),
    littleMean: derived.littleMean?.value ?? null,
    requestsPerUser: requestsPerUser(row, derived.requests) ?? null,
    durationS: derived.runS?.value ?? null,
    success: successOf(row, derived),
    status,
    isContradicted: status === "impossible" || status === "at-most",
    findings: findings.sort((a, b) => FINDING_KINDS.indexOf(a.kind) - FINDING_KINDS.indexOf(b.kind)),
  };
}

/** What bounds the claim, whatever bounds it: the claim itself if nothing else does. */
function minimum(claim: number | undefined, bound: number | undefined): number | null {
  if (bound === undefined) return null;
  return claim === undefined ? bound : Math.min(claim, bound);
}

type Bounds = Pick<Derived, "atMost" | "meanAtMost">;

/** Fewer than claimed: at any moment, or on average by more than filling and draining explain. */
function label(row: ClaimedRow, { atMost, meanAtMost }: Bounds): Finding[] {
  const claimed = row.concurrency;
  if (claimed === undefined) return [];
  const findings: Finding[] = [];
  if (atMost !== undefined && atMost.value < claimed) {
    const sentence = `${say(claimed)} claimed, at most ${say(atMost.value)} could be: ${atMost.because}`;
    findings.push({ kind: "at-most", rule: atMost.rule, sentence });
  }
  if (meanAtMost === undefined || meanAtMost.value >= claimed * AUDIT_LIMITS.steadyShare) return findings;
  const { value, rule, because } = meanAtMost;
  const isHeld = value >= claimed * AUDIT_LIMITS.heldShare;
  const sentence = `${say(claimed)} claimed. ${because}; that is ${sayAtMost((100 * value) / claimed)} % of the label`;
  findings.push({ kind: isHeld ? "not-steady" : "at-most", rule, sentence });
  return findings;
}

/** Requests that each of those in flight sent, one after the other. */
function requestsPerUser(row: ClaimedRow, requests: number | undefined): number | undefined {
  if (requests === undefined || row.concurrency === undefined || row.concurrency === 0) return undefined;
  return requests / row.concurrency;
}

/** Too few requests per user, or too short a run, to have been anything but a beginning and an end. */
function steadiness(row: ClaimedRow, { requests, runS }: Derived): Finding[] {
  const fewest = AUDIT_LIMITS.fewestPerUser;
  const perUser = requestsPerUser(row, requests);
  // Fewer than one for each user is the count's finding already.
  if (perUser !== undefined && perUser < 1 && row.isWindow !== true) return [];
  if (perUser !== undefined && perUser < fewest) {
    const sum = `${say(requests ?? 0)} requests / ${say(row.concurrency ?? 0)} claimed = ${say(perUser)} for each user`;
    return [{ kind: "not-steady", rule: "few-per-user", sentence: `${sum}, fewer than ${fewest}` }];
  }
  const { mean, percentiles } = row.latencyS;
  const typical = mean ?? percentiles.find((one) => one.percentile === 50)?.value;
  if (runS === undefined || typical === undefined || !(runS.high < fewest * typical.low)) return [];
  const name = mean === undefined ? "p50" : "mean";
  const sum = `the run took ${saySeconds(runS.value)}, ${say(runS.value / typical.value)} times its ${name} latency of ${saySeconds(typical.value)}`;
  return [{ kind: "not-steady", rule: "short-run", sentence: `${sum}, fewer than ${fewest}` }];
}

/** Nothing bounds what was in flight, or nothing was claimed. */
function missing(row: ClaimedRow, { atMost, meanAtMost, rate }: Bounds & Pick<Derived, "rate">): Finding[] {
  const judge = (sentence: string): Finding[] => [{ kind: "cannot-judge", rule: "missing", sentence }];
  if (row.concurrency === undefined) return judge("no concurrency is claimed, so there is no label to judge");
  const isJudged = atMost !== undefined && atMost.value < row.concurrency;
  if (meanAtMost !== undefined || isJudged) return [];
  const lacks = [
    ...(rate === undefined ? ["requests/s (or tokens/s and tokens per request)"] : []),
    ...(row.latencyS.mean === undefined ? [meanLacks(row)] : []),
  ];
  const allows = atMost === undefined ? "" : `; at a moment, ${say(atMost.value)} at most`;
  return judge(`the mean in flight cannot be bounded: the row lacks ${lacks.join(" and ")}${allows}`);
}

function meanLacks({ latencyS, isWindow }: ClaimedRow): string {
  if (latencyS.percentiles.length === 0) return "the mean end-to-end latency";
  return isWindow === true
    ? "the mean latency (or the maximum beside the percentiles)"
    : "the mean latency (or, beside the percentiles, the maximum, the duration or the number of requests)";
}

function successOf(row: ClaimedRow, { requests, completed }: Derived): AuditedRow["success"] {
  if (completed === undefined || requests === undefined || completed > requests || requests === 0) {
    return { share: row.successShare?.value ?? null, lower95: null };
  }
  return { share: completed / requests, lower95: shareLowerBound(completed, requests) };
}
