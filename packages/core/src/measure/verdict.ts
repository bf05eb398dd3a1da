import type { ResolvedStage } from "../load/stages.js";
import { KV_BLOCK_TOKENS, type RunFacts, type ServerSample } from "../run/facts.js";
import type { RunReport, StageReport, ThresholdResult, VerdictStatus } from "../run/report.js";
import type { Problem } from "../run/run-record.js";
import { hasOnlyUniquePrompts } from "../workload/members.js";
import { type IntervalColours, redIntervals } from "./interval-colours.js";
import { judgeLimit } from "./judge-limit.js";
import { type LevelData, unreachedLevels } from "./level-data.js";
import { levelTroubles } from "./level-notes.js";
import { lossReasons } from "./losses.js";

/** Shares of all measured agent intervals, or of offered requests, up to which a result is only degraded. */
const DEGRADED_SHARE = 0.01;
/** Agents that a sentence names. */
const MOST_AGENTS = 3;
/** And levels that were not reached. */
const MOST_LEVELS = 5;

export interface VerdictInput {
  readonly facts: RunFacts;
  readonly stages: readonly ResolvedStage[];
  readonly levels: readonly LevelData[];
  readonly rows: readonly StageReport[];
  readonly colours: ReadonlyMap<string, IntervalColours>;
  readonly serverSamples: readonly ServerSample[];
  readonly totals: RunReport["totals"];
  /** What is missing, in words. */
  readonly missing: readonly string[];
  readonly thresholds: RunReport["thresholds"];
}

/** A reason, and whether it makes a result invalid or only degraded. */
interface Reason {
  readonly isGrave: boolean;
  readonly text: string;
}

/** Whether the result can be trusted, with the reasons in words, the gravest first. */
export function judgeRun(input: VerdictInput): RunReport["verdict"] {
  const mild = (text: string): Reason => ({ isGrave: false, text });
  const reasons: readonly Reason[] = [
    ...stateReasons(input),
    ...redReasons(input),
    ...unknownReasons(input),
    ...lossReasons(input.facts.record, input.stages).map(mild),
    ...input.missing.map(mild),
    ...levelReasons(input).map(mild),
    ...prefixReasons(input).map(mild),
    ...countReasons(input).map(mild),
  ];
  const grave = reasons.filter(({ isGrave }) => isGrave);
  const status: VerdictStatus = grave.length > 0 ? "invalid" : reasons.length > 0 ? "degraded" : "valid";
  const limit = judgeLimit({
    red: redIntervals(input.colours),
    // Rows are made of levels, one of each.
    levels: input.rows.map((row, i) => ({ row, isNeverFull: input.levels[i]?.isNeverFull === true })),
    samples: input.serverSamples,
  });
  return {
    status,
    thresholds: thresholdResult(input.thresholds.map(({ result }) => result)),
    reasons: [...grave, ...reasons.filter(({ isGrave }) => !isGrave)].map(({ text }) => text),
    limitedBy: limit.by,
    limitSentence: limit.sentence,
  };
}

function thresholdResult(results: readonly ThresholdResult[]): RunReport["verdict"]["thresholds"] {
  if (results.length === 0) return "none";
  if (results.includes("failed")) return "failed";
  return results.includes("inconclusive") ? "inconclusive" : "passed";
}

function stateReasons({ facts }: VerdictInput): Reason[] {
  const { state, problem } = facts.record;
  if (state === "completed") return [];
  const how =
    state === "aborted" ? abortedHow(problem) : state === "failed" ? "it failed" : `it was still ${state}`;
  const why = problem === null ? "" : ` (${problem.message})`;
  return [{ isGrave: true, text: `the run did not complete: ${how}${why}` }];
}

function abortedHow(problem: Problem | null): string {
  return problem?.threshold === undefined ? "it was stopped" : "a threshold ended it";
}

function redReasons({ colours }: VerdictInput): Reason[] {
  const { red, measured, share } = redIntervals(colours);
  if (red === 0) return [];
  const worst = [...colours]
    .filter(([, agent]) => agent.red > 0)
    .toSorted(([a, { red: redA }], [b, { red: redB }]) => redB - redA || (a < b ? -1 : 1));
  const named = worst
    .slice(0, MOST_AGENTS)
    .map(([id, agent]) => `${id} ${agent.red} of ${agent.measured}, ${agent.redReasons.join(", ")}`);
  const more = worst.length > MOST_AGENTS ? `; and ${worst.length - MOST_AGENTS} more agents` : "";
  const text =
    `the client was too slow to be trusted in ${red} of ${measured} measured agent intervals ` +
    `(${percent(share)}): ${named.join("; ")}${more}`;
  return [{ isGrave: share > DEGRADED_SHARE, text }];
}

function unknownReasons({ totals }: VerdictInput): Reason[] {
  const { unknown, offered } = totals.requests;
  if (unknown === 0) return [];
  const share = unknown / offered;
  const text =
    `what became of ${unknown} of ${offered} requests (${percent(share)}) is not known: ` +
    "their agent was lost, or the interval in which they ended";
  return [{ isGrave: share > DEGRADED_SHARE, text }];
}

function levelReasons({ facts, levels, stages, missing }: VerdictInput): string[] {
  const troubles = levels.flatMap((level) =>
    levelTroubles(level).map((trouble) => `level ${level.stage.name} is ${trouble}`),
  );
  // Of a run that did not complete it goes without saying; and what is missing may be all that there was of a level.
  const isWhole = facts.record.state === "completed" && missing.length === 0;
  const unreached = isWhole ? unreachedLevels(stages, levels) : [];
  if (unreached.length === 0) return troubles;
  const named = unreached.slice(0, MOST_LEVELS).join(", ");
  const more = unreached.length > MOST_LEVELS ? ` and ${unreached.length - MOST_LEVELS} more` : "";
  const what = unreached.length === 1 ? "level" : "levels";
  return [...troubles, `the run never came to ${what} ${named}${more}`];
}

/** Of a salt's some ten tokens at most so many are found again by chance, over any number of requests. */
const SALT_CHANCE_TOKENS = 4;

/** With unique prompts only the chat template can be found again, in whole blocks. */
function prefixReasons({ facts, totals }: VerdictInput): string[] {
  const { plan } = facts.record;
  const { target } = plan;
  const hits = totals.server.prefixHitTokens;
  // Completions have no template; of a chat whose template is not known, nothing can be said.
  const templateTokens = target.api === "openai-completions" ? 0 : facts.templateTokens;
  if (hits === null || templateTokens === null || !hasOnlyUniquePrompts(plan)) return [];
  const blockTokens = facts.serverAfter?.counters.blockTokens ?? KV_BLOCK_TOKENS;
  const perRequest = sparedByTemplate(templateTokens, blockTokens);
  const allowed = (totals.requests.sent + totals.requests.staleRetries) * perRequest;
  if (hits <= allowed) return [];
  const others = totals.server.exact ? "" : "; others may have used the target at the same time";
  return [
    `${hits} prompt tokens came from the prefix cache though prompts were unique ` +
      `(the chat template explains ${allowed})${others}`,
  ];
}

/**
 * Tokens of one prompt that the cache may hold though nothing but the template is shared. The first tokens of a
 * salt are shared with some other salt by chance, which counts where they fill a block: one of a token, as with MLA on
 * ROCm, or one that the template has nearly filled.
 */
function sparedByTemplate(templateTokens: number, blockTokens: number): number {
  return Math.floor((templateTokens + SALT_CHANCE_TOKENS) / blockTokens) * blockTokens;
}

const COUNTED = { output: "output tokens", prompt: "prompt tokens", successes: "successes" } as const;

/** Counts of the same requests that cannot both be right: whoever is wrong, rates and totals rest on one of them. */
function countReasons({ totals }: VerdictInput): string[] {
  return (totals.server.checks ?? []).flatMap(({ of, server, client, tolerance, because, agrees }) => {
    if (agrees !== false) return [];
    const explained = tolerance === 0 ? "must be the same" : `may be up to ${tolerance} more`;
    return [
      `the target counted ${server} ${COUNTED[of]}, the client ${client}: ` +
        `its count ${explained}, since ${because}` +
        (server < client ? ", unless its metrics are those of some replicas only" : ""),
    ];
  });
}

/** Two figures, so that 0.4 % is not shown as none. */
function percent(share: number): string {
  return `${Number((share * 100).toPrecision(2))} %`;
}
