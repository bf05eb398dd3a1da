import { ArrivalWalk, expectedArrivals } from "../load/arrivals.js";
import type { RequestKey } from "../load/keys.js";
import { resolveStages } from "../load/resolve-stages.js";
import type { ResolvedStage } from "../load/stages.js";
import { traceArrivals } from "../load/trace-arrivals.js";
import { quotaOf } from "../load/users.js";
import type { TestPlan } from "../plan/schema.js";
import { Hash128 } from "../random/hash.js";
import type { RequestSpec } from "./request-spec.js";
import type { TraceEntry } from "./trace.js";
import { createWorkload, type WorkloadOptions } from "./workload.js";

/** Past so many arrivals only these are hashed, and the expected count. */
export const DIGEST_ARRIVALS = 5_000_000;
export const DIGEST_REQUESTS = 1000;

const ALONE = { index: 0, count: 1 };

/**
 * Fingerprint, 32 hex digits, of what one agent alone would send: of an open load every due time (beyond 5,000,000
 * the first so many and the expected count), and the first 1,000 requests with key, lengths and prompt. Agents whose
 * fingerprints differ would not send one plan. MurmurHash3 x86 128, see Hash128.
 */
export function walkDigest(plan: TestPlan, options: WorkloadOptions): string {
  const stages = resolveStages(plan);
  const hash = new Hash128();
  if (plan.load.kind === "arrival-rate") addArrivals(hash, stages, plan.load.spacing, plan.seed);
  if (plan.load.kind === "trace") addTrace(hash, options.trace ?? []);
  const workload = createWorkload(plan, options);
  for (const key of firstKeys(plan, stages, options.trace ?? []))
    addRequest(hash, key, workload.requestFor(key));
  return hash.hex();
}

function addArrivals(
  hash: Hash128,
  stages: readonly ResolvedStage[],
  spacing: "even" | "poisson",
  seed: number,
): void {
  const walk = new ArrivalWalk({ stages, spacing, seed });
  let count = 0;
  while (count < DIGEST_ARRIVALS && walk.advance(ALONE)) {
    hash.addInt(walk.stage).addSafeInt(walk.dueUs);
    count += 1;
  }
  hash.addInt(count).addSafeInt(Math.round(expectedArrivals(stages)));
}

/** Every request of a trace, whole: its lengths and blocks are what the prompts are made from. */
function addTrace(hash: Hash128, entries: readonly TraceEntry[]): void {
  for (const { dueUs, inputTokens, outputTokens, blocks } of entries) {
    hash
      .addSafeInt(dueUs)
      .addInt(inputTokens)
      .addInt(outputTokens)
      .addInt(blocks?.length ?? -1);
    for (const block of blocks ?? []) hash.addSafeInt(block);
  }
  hash.addInt(entries.length);
}

/**
 * The first keys: the warm-up's; then the first arrivals of an open load, or of a closed one the first request of
 * every user in every stage, then the second, and so on.
 */
function firstKeys(
  plan: TestPlan,
  stages: readonly ResolvedStage[],
  entries: readonly TraceEntry[],
): RequestKey[] {
  const keys = closedKeys(stages.filter((stage) => stage.isWarmUp));
  if (plan.load.kind === "users") {
    return [...keys, ...closedKeys(stages.filter((stage) => !stage.isWarmUp))].slice(0, DIGEST_REQUESTS);
  }
  if (plan.load.kind === "trace") {
    const arrivals = [...traceArrivals({ entries, stages, shard: ALONE })].map(({ key }) => key);
    return [...keys, ...arrivals].slice(0, DIGEST_REQUESTS);
  }
  const walk = new ArrivalWalk({ stages, spacing: plan.load.spacing, seed: plan.seed });
  while (keys.length < DIGEST_REQUESTS && walk.advance(ALONE)) {
    keys.push({ kind: "open", stage: walk.stage, k: walk.k });
  }
  return keys;
}

function closedKeys(stages: readonly ResolvedStage[]): RequestKey[] {
  const keys: RequestKey[] = [];
  for (let j = 0; ; j += 1) {
    const before = keys.length;
    for (const stage of stages) {
      if (stage.kind === "users") addRound(keys, stage, j);
      if (keys.length >= DIGEST_REQUESTS) return keys;
    }
    if (keys.length === before) return keys;
  }
}

/** Request j of each user of a stage that has one. */
function addRound(keys: RequestKey[], stage: Extract<ResolvedStage, { kind: "users" }>, j: number): void {
  const { bound } = stage;
  for (let user = 0; user < stage.users && keys.length < DIGEST_REQUESTS; user += 1) {
    if (bound.kind === "requests" && j >= quotaOf(bound.requests, user, stage.users)) return;
    keys.push({ kind: "closed", stage: stage.index, user, j });
  }
}

function addRequest(hash: Hash128, key: RequestKey, request: RequestSpec): void {
  hash.addInt(key.stage);
  if (key.kind === "open") hash.addSafeInt(key.k);
  else hash.addInt(key.user).addInt(key.j);
  hash.addInt(request.promptTokens ?? -1).addInt(request.outputTokens);
  addPrompt(hash, request.prompt);
  addSettings(hash, request);
}

function addPrompt(hash: Hash128, prompt: RequestSpec["prompt"]): void {
  switch (prompt.kind) {
    case "text":
      hash.addText(prompt.text);
      return;
    case "token-ids":
      for (const id of prompt.ids) hash.addInt(id);
      return;
    case "messages":
      for (const { role, content } of prompt.messages) hash.addText(role).addText(content);
  }
}

/** Only what a plan of the first kind has not: its digests stay what they were. */
function addSettings(hash: Hash128, { member, images, turn }: RequestSpec): void {
  if (turn !== undefined) hash.addInt(turn.conversation).addInt(turn.turn).addText(turn.system);
  if (member > 0) hash.addInt(member);
  for (const { width, height, state } of images) {
    hash.addInt(width).addInt(height);
    for (const word of state) hash.addInt(word);
  }
}
