import { resolveStages } from "../../load/resolve-stages.js";
import type { ResolvedStage } from "../../load/stages.js";
import { initialStageStarts, stageLengthUs } from "../../load/timeline.js";
import { requirePlan } from "../../plan/parse-plan.js";
import type { PlanInput, TestPlan } from "../../plan/schema.js";
import type { RunFacts, ServerCounters, ServerSample } from "../../run/facts.js";
import type { RunReport } from "../../run/report.js";
import type { RunRecord } from "../../run/run-record.js";
import type { Aggregate } from "../aggregate.js";
import { summariseRun } from "../summarise-run.js";
import { assignment } from "./cluster.js";
import type { ScriptedRequest, ScriptedRun } from "./scripted-run.js";

/** A plan of one target, with what a test is about. */
export function planOf(change: Partial<PlanInput>): TestPlan {
  return requirePlan({
    version: 1,
    target: { urls: ["http://127.0.0.1:8000"], gpus: 8 },
    warmUp: { requests: 0 },
    gracePeriodMs: 2000,
    load: { kind: "users", stages: [{ users: 4, rampUpMs: 1000, settleMs: 1000, durationMs: 10_000 }] },
    ...change,
  });
}

/** A run of a plan whose stages are all bounded by time, with the requests that a test makes up. */
export function runOf(
  plan: TestPlan,
  requests: readonly ScriptedRequest[],
  change: Partial<ScriptedRun> = {},
): ScriptedRun {
  const stages = resolveStages(plan);
  const startsUs = initialStageStarts(stages).map((startUs) => startUs ?? 0);
  const endUs = stages.reduce((sum, stage) => sum + (stageLengthUs(stage) ?? 0), 0);
  const lastUs = Math.max(endUs, ...requests.map(({ end }) => end?.tUs ?? 0));
  return {
    stages,
    startsUs,
    commit: null,
    done: [],
    stopUs: null,
    intervalUs: plan.intervalMs * 1000,
    graceUs: plan.gracePeriodMs * 1000,
    slos: plan.slos,
    requests,
    finishUs: lastUs + 1000,
    ...change,
  };
}

export interface LoopOptions {
  /** Index of the stage; its users send in a closed loop from its start to its edge. */
  readonly stage: number;
  readonly fromUs: number;
  readonly toUs: number;
  readonly users: number;
  /** From sent to end; tokens come evenly, the first after a tenth. */
  readonly e2eUs: (user: number, j: number) => number;
  readonly tokens?: number;
  readonly fails?: (user: number, j: number) => boolean;
}

/** What users do who send again as soon as they are answered. */
export function closedLoop(options: LoopOptions): ScriptedRequest[] {
  const { stage, fromUs, toUs, users, e2eUs, tokens = 11, fails = () => false } = options;
  return Array.from({ length: users }, (_, user) => {
    const requests: ScriptedRequest[] = [];
    for (let dueUs = fromUs, j = 0; dueUs < toUs; j += 1) {
      const request = oneRequest({
        stage,
        user,
        dueUs,
        e2eUs: e2eUs(user, j),
        tokens,
        fails: fails(user, j),
      });
      requests.push(request);
      dueUs = request.end?.tUs ?? toUs;
    }
    return requests;
  }).flat();
}

function oneRequest(how: {
  readonly stage: number;
  readonly user: number;
  readonly dueUs: number;
  readonly e2eUs: number;
  readonly tokens: number;
  readonly fails: boolean;
}): ScriptedRequest {
  const { stage, user, dueUs, e2eUs, tokens, fails } = how;
  const at = (share: number) => dueUs + Math.round(e2eUs * share);
  const events = Array.from({ length: tokens }, (_, i) => ({
    tUs: at(0.1 + (0.8 * i) / tokens),
    tokens: 1,
    content: true,
    sameRead: false,
  }));
  return {
    stage,
    user,
    dueUs,
    drop: null,
    beginUs: dueUs,
    connectUs: null,
    sentUs: dueUs,
    headersUs: at(0.05),
    events: fails ? [] : events,
    staleRetry: false,
    end: {
      tUs: at(1),
      how: fails
        ? { outcome: { kind: "failed", reason: "http-5xx" }, usage: null, tokenSource: "none", finish: null }
        : {
            outcome: { kind: "completed" },
            usage: { prompt: 100, cachedPrompt: 0, output: tokens },
            tokenSource: "usage",
            finish: "length",
          },
    },
  };
}

export function counters(change: Partial<ServerCounters> = {}): ServerCounters {
  return {
    promptTokens: 0,
    generationTokens: 0,
    successes: 0,
    preemptions: 0,
    prefixHits: 0,
    prefixQueries: 0,
    ...change,
  };
}

/** What a target has counted that answered the requests of a run, and nothing of those that failed. */
function countersOf({ requests }: ScriptedRun): ServerCounters {
  const answered = requests.flatMap(({ end }) => (end?.how.outcome.kind === "completed" ? [end.how] : []));
  const sum = (of: "prompt" | "output") => answered.reduce((so, { usage }) => so + (usage?.[of] ?? 0), 0);
  return counters({
    promptTokens: sum("prompt"),
    generationTokens: sum("output"),
    successes: answered.length,
  });
}

export function factsOf(
  plan: TestPlan,
  run: ScriptedRun,
  agents: number,
  change: { readonly facts?: Partial<RunFacts>; readonly record?: Partial<RunRecord> } = {},
): RunFacts {
  const record: RunRecord = {
    v: 1,
    id: "r1",
    name: "test",
    createdAtMs: 1,
    plan,
    planDigest: "d1",
    salt: "s1",
    state: "completed",
    term: 1,
    leader: "leader",
    revision: 9,
    shards: Array.from({ length: agents }, (_, index) => assignment(index)),
    start: { attempt: 1, committed: true, leaderUs: 0, epochUs: 1_790_000_000_000_000, localUs: {} },
    stageStartsUs: run.startsUs,
    stop: { level: "none", reason: "" },
    problem: null,
    result: null,
    ...change.record,
  };
  return {
    schemaVersion: 1,
    record,
    transport: "memory",
    version: "0.1.0",
    model: "m",
    wordsPerToken: null,
    templateTokens: 20,
    serverVersion: null,
    endedAtMs: 1,
    endUs: run.finishUs,
    serverBefore: { quiescent: true, counters: counters() },
    serverAfter: { quiescent: true, counters: countersOf(run) },
    refusals: 0,
    ...change.facts,
  };
}

export function reportOf(
  facts: RunFacts,
  aggregate: Aggregate,
  options: { readonly stages: readonly ResolvedStage[]; readonly serverSamples?: readonly ServerSample[] },
): RunReport {
  return summariseRun({
    facts,
    aggregate,
    stages: options.stages,
    serverSamples: options.serverSamples ?? [],
  });
}
