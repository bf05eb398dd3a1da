import type { FailureReason } from "../measure/outcome.js";
import type { LatencySummary, StageReport } from "../run/report.js";
import type { StudyLevelFigures } from "./study-report.js";
import type { StudyResult } from "./summarise-study.js";

/** Failures behind a status of 200 and a body of the right shape: nothing but its content or its length is wrong. */
const WITH_A_BODY: readonly FailureReason[] = ["empty", "no-finish", "wrong-length"];

/**
 * A level of one run in the server's own time; undefined where the run never came to it. At a time scale s the server's second
 * is 1/s of ours: rates are divided by s, times multiplied.
 */
export function levelFigures(
  name: string,
  { run, repeat, report }: StudyResult & { readonly repeat: number },
  timeScale: number,
): StudyLevelFigures | undefined {
  const row = report.stages.find((stage) => stage.name === name);
  if (row === undefined) return undefined;
  const isMeasured = row.windowMs > 0;
  const rate = (perS: number) => (isMeasured ? perS / timeScale : null);
  const time = (us: number | null) => (us === null ? null : us * timeScale);
  const { rates, latencyUs } = row;
  return {
    repeat,
    run,
    verdict: report.verdict.status,
    figures: {
      totalTokensPerS: rate(rates.promptTokensPerS + rates.outputTokensPerS),
      outputTokensPerS: rate(rates.outputTokensPerS),
      requestsPerS: rate(rates.requestsPerS),
      measuredInFlight: isMeasured ? row.inFlight.mean : null,
      e2eP50Us: time(exact(latencyUs.e2e, "p50")),
      e2eP99Us: time(exact(latencyUs.e2e, "p99")),
      ttftP50Us: time(exact(latencyUs.ttft, "p50")),
      ttftP99Us: time(exact(latencyUs.ttft, "p99")),
      tpotP50Us: time(exact(latencyUs.tpot, "p50")),
    },
    maxInFlight: row.inFlight.maxAtMost,
    serverRunning: row.server.runningMean,
    serverWaiting: row.server.waitingMean,
    waitingShare: shareOf(latencyUs.ttft.mean, latencyUs.e2e.mean),
    requests: {
      offered: row.requests.offered,
      completed: row.requests.completed,
      failed: row.requests.failed,
      failedWithABody: WITH_A_BODY.reduce((sum, reason) => sum + (row.failures[reason] ?? 0), 0),
    },
    success: row.success,
    promptTokensMean: row.tokens.promptMean,
    outputTokensMean: row.tokens.outputMean,
    cachedPromptTokens: row.tokens.cachedPrompt,
    windowMs: row.windowMs * timeScale,
    steady: row.steady,
    notes: [...row.notes, ...boundedNotes(row)],
  };
}

/** Null where requests that were cut unfinished could move it: a lower bound has no mean, no interval and no difference. */
function exact(summary: LatencySummary, percentile: "p50" | "p99"): number | null {
  return summary.atLeast.includes(percentile) ? null : summary[percentile];
}

function boundedNotes({ latencyUs }: StageReport): string[] {
  const bounded = (["ttft", "tpot", "e2e"] as const).flatMap((metric) =>
    (["p50", "p99"] as const)
      .filter((percentile) => latencyUs[metric].atLeast.includes(percentile))
      .map((percentile) => `${metric}.${percentile}`),
  );
  if (bounded.length === 0) return [];
  return [`${bounded.join(", ")}: not given, requests that were cut unfinished could move them`];
}

function shareOf(part: number | null, whole: number | null): number | null {
  return part === null || whole === null || whole === 0 ? null : part / whole;
}
