import type { RunFacts } from "../run/facts.js";
import { KV_BLOCK_TOKENS } from "../run/facts.js";
import type { RunReport, StageReport, ThresholdResult, VerdictStatus } from "../run/report.js";
import type { Aggregate } from "./aggregate.js";
import { judgeVitals, vitalsFactor } from "./judge-vitals.js";
import type { LevelData } from "./level-data.js";

/** Shares of all measured agent-intervals, or of offered requests, up to which a result is only degraded. */
const DEGRADED_SHARE = 0.01;
const KV_FULL = 0.95;
const QUEUE_SHARE = 0.05;

/** How many measured intervals an agent had, and of which colour. */
export interface IntervalColours {
  readonly measured: number;
  readonly red: number;
  readonly yellow: number;
  /** What made intervals red, with the last figure. */
  readonly redReasons: readonly string[];
}

/** Colours of each agent's measured intervals, with each level's own limits. */
export function colourIntervals(
  aggregate: Aggregate,
  levels: readonly LevelData[],
): Map<string, IntervalColours> {
  const factors = new Map(
    levels.map(({ stage, histograms }) => [
      stage.index,
      vitalsFactor(histograms.get("itl")?.percentile(50) ?? null),
    ]),
  );
  const byAgent = new Map<string, IntervalColours>();
  for (const { agent, measuredStages, vitals } of aggregate.intervalVitals()) {
    const stage = measuredStages.at(-1);
    if (stage === undefined) continue;
    const judged = judgeVitals(vitals, factors.get(stage) ?? 1);
    const before = byAgent.get(agent) ?? { measured: 0, red: 0, yellow: 0, redReasons: [] };
    byAgent.set(agent, {
      measured: before.measured + 1,
      red: before.red + (judged.colour === "red" ? 1 : 0),
      yellow: before.yellow + (judged.colour === "yellow" ? 1 : 0),
      redReasons: judged.colour === "red" ? judged.reasons : before.redReasons,
    });
  }
  return byAgent;
}

export interface VerdictInput {
  readonly facts: RunFacts;
  readonly levels: readonly LevelData[];
  readonly rows: readonly StageReport[];
  readonly colours: ReadonlyMap<string, IntervalColours>;
  readonly totals: RunReport["totals"];
  readonly completeness: RunReport["completeness"];
  readonly agentsWithoutFinal: readonly string[];
  readonly thresholds: RunReport["thresholds"];
}

/** Whether the result can be trusted, with the reasons in words, the gravest first. */
export function judgeRun(input: VerdictInput): RunReport["verdict"] {
  const invalid = [...stateReasons(input), ...graver(redReasons(input)), ...graver(unknownReasons(input))];
  const degraded = [
    ...milder(redReasons(input)),
    ...milder(unknownReasons(input)),
    ...missingReasons(input),
    ...levelReasons(input),
    ...prefixReasons(input),
  ];
  const status: VerdictStatus = invalid.length > 0 ? "invalid" : degraded.length > 0 ? "degraded" : "valid";
  return {
    status,
    thresholds: thresholdResult(input.thresholds.map(({ result }) => result)),
    reasons: [...invalid, ...degraded],
    limitedBy: limitedBy(input),
  };
}

function thresholdResult(results: readonly ThresholdResult[]): RunReport["verdict"]["thresholds"] {
  if (results.length === 0) return "none";
  if (results.includes("failed")) return "failed";
  return results.includes("inconclusive") ? "inconclusive" : "passed";
}

interface Graded {
  readonly share: number;
  readonly reason: string;
}

const graver = (found: readonly Graded[]) =>
  found.filter(({ share }) => share > DEGRADED_SHARE).map(({ reason }) => reason);
const milder = (found: readonly Graded[]) =>
  found.filter(({ share }) => share <= DEGRADED_SHARE).map(({ reason }) => reason);

function stateReasons({ facts }: VerdictInput): string[] {
  const { state, problem } = facts.record;
  if (state === "completed") return [];
  return [
    `the run did not complete: it ${state === "aborted" ? "was stopped" : "failed"}${problem === null ? "" : ` (${problem.message})`}`,
  ];
}

function redShare(colours: ReadonlyMap<string, IntervalColours>): { red: number; measured: number } {
  let red = 0;
  let measured = 0;
  for (const agent of colours.values()) {
    red += agent.red;
    measured += agent.measured;
  }
  return { red, measured };
}

function redReasons({ colours }: VerdictInput): Graded[] {
  const { red, measured } = redShare(colours);
  if (red === 0) return [];
  const worst = [...colours]
    .filter(([, { red: count }]) => count > 0)
    .toSorted(([, a], [, b]) => b.red - a.red);
  const names = worst
    .slice(0, 3)
    .map(([id, agent]) => `${id}: ${agent.red} of ${agent.measured}, ${agent.redReasons.join(", ")}`);
  return [
    {
      share: red / measured,
      reason: `the client was too slow to be trusted in ${red} of ${measured} measured agent intervals (${names.join("; ")})`,
    },
  ];
}

function unknownReasons({ totals }: VerdictInput): Graded[] {
  const { unknown, offered } = totals.requests;
  if (unknown === 0) return [];
  return [
    {
      share: unknown / offered,
      reason: `${unknown} of ${offered} requests were in flight at an agent that was lost`,
    },
  ];
}

function missingReasons({ completeness, agentsWithoutFinal }: VerdictInput): string[] {
  const { intervalsExpected, intervalsReceived, samplesRecorded, samplesMerged, missing } = completeness;
  const reasons: string[] = [];
  if (intervalsReceived < intervalsExpected) {
    const gaps = missing
      .slice(0, 5)
      .map(({ agent, from, to }) => `${agent} ${from === to ? from : `${from}-${to}`}`);
    reasons.push(
      `${intervalsExpected - intervalsReceived} of ${intervalsExpected} intervals are missing (${gaps.join(", ")})`,
    );
  } else if (samplesMerged !== samplesRecorded) {
    reasons.push(`${samplesMerged} samples were merged of ${samplesRecorded} recorded`);
  }
  if (agentsWithoutFinal.length > 0) reasons.push(`no final word came from ${agentsWithoutFinal.join(", ")}`);
  return reasons;
}

function levelReasons({ levels, rows }: VerdictInput): string[] {
  return levels.flatMap((level, i) =>
    level.isTooShort || level.isNeverFull
      ? (rows[i]?.notes ?? []).map((note) => `level ${level.stage.name} is ${note}`)
      : [],
  );
}

/** With unique prompts only the chat template can be found again, in whole blocks. */
function prefixReasons({ facts, totals }: VerdictInput): string[] {
  const hits = totals.server.prefixHitTokens;
  if (hits === null || facts.record.plan.workload.prompts !== "unique") return [];
  const perRequest = Math.floor((facts.templateTokens ?? 0) / KV_BLOCK_TOKENS) * KV_BLOCK_TOKENS;
  const allowed = totals.requests.sent * perRequest;
  if (hits <= allowed) return [];
  return [
    `${hits} prompt tokens came from the prefix cache though prompts were unique (the chat template explains ${allowed})`,
  ];
}

/**
 * Who was the limit, by what is certain: a client that was red, a KV cache that was full, a queue that stood. Compute
 * and nobody need more evidence than gauges, and are not decided here.
 */
function limitedBy({ colours, rows }: VerdictInput): RunReport["verdict"]["limitedBy"] {
  const { red, measured } = redShare(colours);
  if (measured > 0 && red / measured > DEGRADED_SHARE) return "client";
  const last = rows.at(-1);
  if (last === undefined) return null;
  const { waitingMean, kvUsageMax, preemptions } = last.server;
  const isQueued = waitingMean !== null && waitingMean > QUEUE_SHARE * Math.max(1, last.inFlight.mean);
  if (kvUsageMax !== null && kvUsageMax >= KV_FULL && ((preemptions ?? 0) > 0 || isQueued)) return "kv";
  return isQueued ? "queue" : null;
}
