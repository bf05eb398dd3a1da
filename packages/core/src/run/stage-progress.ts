import type { ResolvedStage } from "../load/stages.js";
import { nextStageStarts, stageLengthUs } from "../load/timeline.js";
import type { TestPlan } from "../plan/schema.js";
import { isListening } from "./agent-checks.js";
import { type AgentView, nameAgents } from "./agent-view.js";
import { partingUs } from "./clock-offset.js";
import { LEADER_LIMITS } from "./leader-limits.js";
import { presentShards } from "./leader-loss.js";
import type { LeaderEvent, LeaderState } from "./leader-state.js";
import type { Problem, RunRecord, ShardAssignment } from "./run-record.js";
import { openLosses, stoppedByUs } from "./shard-map.js";

type Look = Extract<LeaderEvent, { kind: "look" }>;

/**
 * Starts to commit next, once all agents have done the stage bounded by requests before; "over" when the last stage
 * is; null while it goes on.
 */
export function nextStages(state: LeaderState, look: Look): readonly (number | null)[] | "over" | null {
  const { stages, record } = state;
  const nowUs = look.nowUs - (record.start?.leaderUs ?? look.nowUs);
  const open = record.stageStartsUs.indexOf(null);
  if (open < 0) return isOver(state, look, nowUs) ? "over" : null;
  if (notDone(state, look, open - 1).length > 0) return null;
  const aheadUs = nowUs + LEADER_LIMITS.stageAheadUs;
  return nextStageStarts(stages, record.stageStartsUs, open, Math.max(aheadUs, takeOverUs(record)));
}

/** From when on others may have the shards that nobody has taken over yet; a stage whose start is ours to choose waits for it. */
function takeOverUs(record: RunRecord): number {
  if (record.plan.lossPolicy !== "reshard") return 0;
  const open = openLosses(record).filter(
    ({ agent }) => !(record.moves ?? []).some(({ lost }) => lost === agent),
  );
  return Math.max(0, ...open.map((loss) => stoppedByUs(loss, record.plan)));
}

function isOver(state: LeaderState, look: Look, nowUs: number): boolean {
  const last = state.stages.length - 1;
  const stage = state.stages[last];
  const startUs = state.record.stageStartsUs[last];
  if (stage === undefined || startUs == null) return true;
  const lengthUs = stageLengthUs(stage);
  return lengthUs === null ? notDone(state, look, last).length === 0 : nowUs >= startUs + lengthUs;
}

/**
 * What ends a running run although its agents are there: one did not start, ended its load before the others, or does
 * not come to a stage's end.
 */
export function runningProblem(state: LeaderState, look: Look): Problem | null {
  const nowUs = look.nowUs - (state.record.start?.leaderUs ?? look.nowUs);
  return (
    notStartedProblem(state, look, nowUs) ??
    earlyProblem(state, look, nowUs) ??
    stuckProblem(state, look, nowUs)
  );
}

function notStartedProblem(state: LeaderState, look: Look, nowUs: number): Problem | null {
  if (nowUs <= LEADER_LIMITS.startedWithinUs) return null;
  const waiting = presentShards(state).filter((shard) => {
    const view = look.agents.get(shard.agent);
    if (view === undefined && isListening(state, look.nowUs)) return false;
    return !IS_STARTED.has(view?.state ?? "idle");
  });
  if (waiting.length === 0) return null;
  const message = `did not start with the others: ${nameAgents(waiting)}`;
  return { code: "AGENT_NOT_READY", message, hint: "it read the committed start too late, or not at all" };
}

/** By their own clocks, which after hours are seconds from the leader's. */
function earlyProblem(state: LeaderState, look: Look, nowUs: number): Problem | null {
  const { step } = state;
  if (step.kind !== "running" || step.earlySinceUs === null) return null;
  if (look.nowUs - step.earlySinceUs < LEADER_LIMITS.earlyUs + partingUs(nowUs)) return null;
  const message = `ended its load while that of the others went on: ${nameAgents(endedEarly(state, look))}`;
  return { code: "AGENT_LOST", message, hint: "its log says why" };
}

/** Agents that send nothing more although the last stage goes on, or is still to come. */
export function endedEarly(state: LeaderState, look: Look): ShardAssignment[] {
  const last = state.stages.at(-1);
  const isLast = state.record.stageStartsUs.at(-1) !== null;
  // In a last stage bounded by requests each ends when its own are done.
  if (last === undefined || (isLast && stageLengthUs(last) === null)) return [];
  return presentShards(state).filter(({ agent }) => {
    const view = look.agents.get(agent);
    return view !== undefined && view.run === state.record.id && HAS_ENDED.has(view.state);
  });
}

/** A stage bounded by requests has a limit of time too. */
function stuckProblem(state: LeaderState, look: Look, nowUs: number): Problem | null {
  const { record, stages } = state;
  const open = record.stageStartsUs.indexOf(null);
  const current = (open < 0 ? stages.length : open) - 1;
  const stage = stages[current];
  const startUs = record.stageStartsUs[current];
  if (stage?.kind !== "users" || stage.bound.kind !== "requests" || startUs == null) return null;
  const limitUs = startUs + stage.rampUpUs + stage.bound.maxDurationUs + record.plan.gracePeriodMs * 1000;
  if (nowUs < limitUs + LEADER_LIMITS.stageDoneMoreUs) return null;
  const waiting = notDone(state, look, current);
  if (waiting.length === 0) return null;
  return {
    code: "AGENT_LOST",
    message: `stage ${stage.name} is over its limit and not done by ${nameAgents(waiting)}`,
    hint: "look at their logs",
  };
}

const HAS_ENDED: ReadonlySet<AgentView["state"]> = new Set(["draining", "delivering", "done"]);
const IS_STARTED: ReadonlySet<AgentView["state"]> = new Set(["running", ...HAS_ENDED]);

/** Lost agents are not waited for, unless nobody else is left to do the stage. */
function notDone(state: LeaderState, look: Look, stage: number): ShardAssignment[] {
  const present = presentShards(state);
  return (present.length === 0 ? state.shards : present).filter(({ agent }) => {
    const view = look.agents.get(agent);
    if (view === undefined) return true;
    return view.stageDone < stage && !HAS_ENDED.has(view.state);
  });
}

/** Longer than a run of this plan can last, with everything that is waited for until its agents have drained, us. */
export function longestRunUs(plan: TestPlan, stages: readonly ResolvedStage[]): number {
  const graceUs = plan.gracePeriodMs * 1000;
  const moreUs = graceUs + LEADER_LIMITS.stageDoneMoreUs + BETWEEN_STAGES_US;
  const stagesUs = stages.map((stage) => longestStageUs(stage) + moreUs);
  return stagesUs.reduce((sumUs, us) => sumUs + us, graceUs + LEADER_LIMITS.drainMoreUs);
}

function longestStageUs(stage: ResolvedStage): number {
  const isByRequests = stage.kind === "users" && stage.bound.kind === "requests";
  return isByRequests ? stage.rampUpUs + stage.bound.maxDurationUs : (stageLengthUs(stage) ?? 0);
}

/** Whoever waits for the start of a stage waits for a leader, who may have to be replaced more than once. */
const BETWEEN_STAGES_US = 600_000_000;
