import type { RequestEnd } from "./recorder.js";
import type { WorkPart } from "./snapshot.js";
import type { TrackedRequest } from "./tracked-request.js";

export function emptyWork(member: number): WorkPart {
  return {
    member,
    offered: 0,
    completed: 0,
    failed: 0,
    promptTokens: 0,
    cachedPromptTokens: 0,
    outputTokens: 0,
    askedPromptTokens: 0,
    askedOutputTokens: 0,
    promptsOfUnknownLength: 0,
    images: 0,
    imageTokens: 0,
    imageTokensTold: 0,
  };
}

export function isEmptyWork({ offered, completed, failed }: WorkPart): boolean {
  return offered + completed + failed === 0;
}

/** Adds another interval's, or another agent's. */
export function addWork(work: WorkPart, other: WorkPart): void {
  work.offered += other.offered;
  work.completed += other.completed;
  work.failed += other.failed;
  work.promptTokens += other.promptTokens;
  work.cachedPromptTokens += other.cachedPromptTokens;
  work.outputTokens += other.outputTokens;
  work.askedPromptTokens += other.askedPromptTokens;
  work.askedOutputTokens += other.askedOutputTokens;
  work.promptsOfUnknownLength += other.promptsOfUnknownLength;
  work.images += other.images;
  work.imageTokens += other.imageTokens;
  work.imageTokensTold += other.imageTokensTold;
}

/** Adds a request that has completed. */
export function completeWork(work: WorkPart, request: TrackedRequest, usage: RequestEnd["usage"]): void {
  work.completed += 1;
  work.outputTokens += request.tokens;
  work.askedPromptTokens += request.askedPromptTokens ?? 0;
  work.askedOutputTokens += request.askedOutputTokens;
  if (request.askedPromptTokens === null) work.promptsOfUnknownLength += 1;
  work.images += request.images;
  if (usage === null) return;
  work.promptTokens += usage.prompt;
  work.cachedPromptTokens += usage.cachedPrompt;
  if (usage.image === undefined) return;
  work.imageTokens += usage.image;
  work.imageTokensTold += request.images;
}
