import { PLAN_DEFAULTS } from "../plan/defaults.js";
import type { PlainWorkload, SyntheticTextWorkload, TestPlan } from "../plan/schema.js";
import { longestLength, meanLength } from "./lengths.js";

/** One of the workloads that a plan's requests draw; one that is no mixture is its only member. */
export interface WorkloadMember {
  readonly name: string;
  /** Of all requests, by the weights. */
  readonly share: number;
  readonly workload: PlainWorkload;
}

export function workloadMembers({ workload }: Pick<TestPlan, "workload">): readonly WorkloadMember[] {
  if (workload.kind !== "mixture") return [{ name: workload.kind, share: 1, workload }];
  const weights = workload.of.reduce((sum, { weight }) => sum + weight, 0);
  const taken = new Set(workload.of.map(({ name }) => name));
  return workload.of.map((member, i) => {
    const usual = `${member.kind}-${i + 1}`;
    const name = member.name ?? (taken.has(usual) ? `${usual}-${i + 1}` : usual);
    return { name, share: member.weight / weights, workload: member };
  });
}

/** Whether its members and images have to be told apart: a workload of text alone needs neither. */
export function hasMembersOrImages({ workload }: Pick<TestPlan, "workload">): boolean {
  return workload.kind === "mixture" || imagesOf(workload) !== undefined;
}

/** The longest prompt and answer that the plan can ask for, tokens; null where nothing bounds them. */
export function longestAsked(plan: Pick<TestPlan, "workload">): {
  readonly prompt: number | null;
  readonly output: number | null;
} {
  const members = workloadMembers(plan).map(({ workload }) => workload);
  return { prompt: greatest(members.map(longestPrompt)), output: greatest(members.map(longestOutput)) };
}

/** What images come to depends on the model, a file's prompts on its tokenizer, and a conversation on its answers. */
function longestPrompt(workload: PlainWorkload): number | null {
  const isPlain = workload.kind === "synthetic-text" && workload.images === undefined;
  return isPlain ? longestLength(workload.inputTokens) : null;
}

/** A file's lines may ask for any length. */
function longestOutput(workload: PlainWorkload): number | null {
  const isStated = workload.kind === "synthetic-text" || workload.kind === "conversation";
  return isStated ? longestLength(workload.outputTokens) : null;
}

/** Mean of the generated lengths that a plan asks for, as far as it tells: a file may say otherwise. */
export function meanOutputTokens(plan: Pick<TestPlan, "workload">): number {
  return workloadMembers(plan).reduce((sum, { share, workload }) => {
    const length = workload.kind === "trace" ? PLAN_DEFAULTS.workload.outputTokens : workload.outputTokens;
    return sum + share * meanLength(length);
  }, 0);
}

/** Whether every prompt of the plan is to be one that no cache knows. */
export function hasOnlyUniquePrompts(plan: Pick<TestPlan, "workload">): boolean {
  return workloadMembers(plan).every(
    ({ workload }) => "prompts" in workload && workload.prompts === "unique",
  );
}

/** The images of its requests, where it has any. */
export function imagesOf(workload: PlainWorkload): SyntheticTextWorkload["images"] {
  return "images" in workload ? workload.images : undefined;
}

/** Whether the run's salt keeps its prompts apart from those of other runs. */
export function isSalted(workload: PlainWorkload): boolean {
  return !("prompts" in workload) || (workload.prompts !== "identical" && workload.prompts !== "as-is");
}

function greatest(values: readonly (number | null)[]): number | null {
  return values.reduce<number | null>(
    (most, value) => (most === null || value === null ? null : Math.max(most, value)),
    0,
  );
}
