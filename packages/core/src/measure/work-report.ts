import type { TestPlan } from "../plan/schema.js";
import type { WorkReport } from "../run/report.js";
import { workloadMembers } from "../workload/members.js";
import type { FoldedBlock } from "./aggregate.js";
import { latencyOf } from "./members.js";
import type { WorkPart } from "./snapshot.js";

/** What each member of the workload asked for in a level, beside what came of it; nothing for plain text. */
export function workReports(block: FoldedBlock | undefined, plan: TestPlan): readonly WorkReport[] {
  if (block === undefined || block.work.size === 0) return [];
  const members = workloadMembers(plan);
  return members.flatMap(({ name, share }, member) => {
    const part = block.work.get(member);
    if (part === undefined) return [];
    const latencies = members.length < 2 ? undefined : block.workLatencies.get(member);
    const row = workReport(part, { name, share });
    if (latencies === undefined) return [row];
    return [
      { ...row, latencyUs: { ttft: latencyOf(latencies.get("ttft")), e2e: latencyOf(latencies.get("e2e")) } },
    ];
  });
}

function workReport(part: WorkPart, { name, share }: Pick<WorkReport, "name" | "share">): WorkReport {
  const { offered, completed, failed, images, imageTokens, imageTokensTold } = part;
  const mean = (sum: number) => (completed === 0 ? null : sum / completed);
  return {
    name,
    share,
    offered,
    completed,
    failed,
    askedPromptMean: part.promptsOfUnknownLength > 0 ? null : mean(part.askedPromptTokens),
    promptMean: mean(part.promptTokens),
    cachedPromptMean: mean(part.cachedPromptTokens),
    askedOutputMean: mean(part.askedOutputTokens),
    outputMean: mean(part.outputTokens),
    imagesMean: mean(images),
    imageTokensEach: imageTokensTold === 0 ? null : imageTokens / imageTokensTold,
  };
}
