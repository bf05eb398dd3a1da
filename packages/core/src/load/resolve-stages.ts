import { PLAN_DEFAULTS } from "../plan/defaults.js";
import type { RateStage, TestPlan, UserStage } from "../plan/schema.js";
import type { ResolvedStage } from "./stages.js";

type ResolvedUserStage = Extract<ResolvedStage, { kind: "users" }>;

/** The stages of a plan as they run: the warm-up first where there is one, every name and default filled in. */
export function resolveStages(plan: TestPlan): ResolvedStage[] {
  const stages: ResolvedStage[] = [];
  const nameOf = uniqueNames(plan);
  if (plan.warmUp.requests > 0) stages.push(warmUpStage(plan));
  const { load } = plan;
  if (load.kind === "arrival-rate") {
    for (const stage of load.stages) stages.push(rateStage(stage, stages.length, nameOf));
    return stages;
  }
  for (const stage of load.stages) {
    const before = stages.at(-1);
    stages.push(userStage(stage, { index: stages.length, before, thinkUs: us(load.thinkMs), nameOf }));
  }
  return stages;
}

/** Name of the warm-up in reports and thresholds. */
export const WARM_UP_NAME = "warm-up";

function warmUpStage({ warmUp }: TestPlan): ResolvedUserStage {
  return {
    kind: "users",
    index: 0,
    name: WARM_UP_NAME,
    isWarmUp: true,
    users: Math.min(warmUp.users, warmUp.requests),
    staying: 0,
    rampUpUs: 0,
    settleUs: 0,
    thinkUs: 0,
    bound: {
      kind: "requests",
      requests: warmUp.requests,
      maxDurationUs: us(PLAN_DEFAULTS.stage.maxDurationMs),
    },
  };
}

function userStage(
  stage: UserStage,
  options: {
    readonly index: number;
    readonly before: ResolvedStage | undefined;
    readonly thinkUs: number;
    readonly nameOf: NameOf;
  },
): ResolvedUserStage {
  const { index, before, thinkUs, nameOf } = options;
  // The warm-up is bounded by requests, so nobody goes on from it either.
  const goesOn = before?.kind === "users" && before.bound.kind === "duration";
  const staying = goesOn ? Math.min(before.users, stage.users) : 0;
  const added = stage.users - staying;
  return {
    kind: "users",
    index,
    name: nameOf(stage.name, `u${stage.users}`),
    isWarmUp: false,
    users: stage.users,
    staying,
    rampUpUs: us(stage.rampUpMs ?? added * PLAN_DEFAULTS.stage.rampUpMsPerAddedUser),
    // A stage bounded by requests is measured whole: there is nothing to wait for.
    settleUs: stage.requests === undefined ? us(stage.settleMs) : 0,
    thinkUs,
    bound:
      stage.requests === undefined
        ? { kind: "duration", durationUs: us(stage.durationMs ?? 0) }
        : {
            kind: "requests",
            requests: stage.requests,
            maxDurationUs: us(stage.maxDurationMs),
            ...(stage.requestsFrom === "pool" ? { isPool: true } : {}),
          },
  };
}

function rateStage(stage: RateStage, index: number, nameOf: NameOf): ResolvedStage {
  const toRps = stage.toRps ?? stage.fromRps;
  const usual = toRps === stage.fromRps ? `r${toRps}` : `r${stage.fromRps}-${toRps}`;
  return {
    kind: "rate",
    index,
    name: nameOf(stage.name, usual),
    isWarmUp: false,
    fromRps: stage.fromRps,
    toRps,
    durationUs: us(stage.durationMs),
  };
}

type NameOf = (given: string | undefined, usual: string) => string;

/** A given name stays as it is; a usual one that is taken gets a number: u100, u100-2. */
function uniqueNames(plan: TestPlan): NameOf {
  const taken = new Set<string>([WARM_UP_NAME]);
  for (const stage of plan.load.stages) if (stage.name !== undefined) taken.add(stage.name);
  return (given, usual) => {
    if (given !== undefined) return given;
    let name = usual;
    for (let n = 2; taken.has(name); n += 1) name = `${usual}-${n}`;
    taken.add(name);
    return name;
  };
}

function us(ms: number): number {
  return Math.round(ms * 1000);
}
