import { assert, LoadError } from "../errors.js";
import { PLAN_DEFAULTS } from "./defaults.js";
import { readFlag } from "./flag-values.js";
import { RUN_FLAGS, type RunFlag, type RunFlagName, type RunFlagValues } from "./flags.js";
import { wholePlanProblem } from "./parse-plan.js";
import { copiedRecord, isRecord, type PlanDraft, parsePath, recordAt, setAt } from "./plan-draft.js";
import { formatDurationMs } from "./schema-parts.js";

/**
 * The plan that flags make, over a plan file's content where there is one: flags win. Not yet checked; `requirePlan`
 * does that. Throws PLAN_INVALID, naming the flag, for a value that cannot be read or flags that exclude each other.
 */
export function planFromFlags(
  target: string | readonly string[] | undefined,
  flags: RunFlagValues,
  base?: unknown,
): PlanDraft {
  const draft = base === undefined ? { version: 1 } : draftOf(base);
  const urls = typeof target === "string" ? [target] : (target ?? []);
  if (urls.length > 0) recordAt(draft, "target")["urls"] = [...urls];
  for (const flag of RUN_FLAGS) {
    if (!flag.key.startsWith("load.") && flag.kind !== "pair") applyPlain(draft, flag, flags);
  }
  applyWorkload(draft, flags);
  for (const text of textsOf(flags, "header")) applyHeader(draft, text);
  applyLoad(draft, flags);
  // Last, so that it can reach whatever the other flags made.
  for (const text of textsOf(flags, "set")) applySet(draft, text);
  return draft;
}

function draftOf(base: unknown): PlanDraft {
  const problem = wholePlanProblem(base);
  if (problem !== undefined || !isRecord(base)) {
    throw new LoadError("PLAN_INVALID", `the plan is invalid: ${problem?.message ?? "it is no object"}`);
  }
  return copiedRecord(base);
}

/** A flag that is one key. */
function applyPlain(
  draft: PlanDraft,
  flag: RunFlag & { readonly name: RunFlagName },
  flags: RunFlagValues,
): void {
  const value = planValue(flags, flag.name);
  if (value !== undefined) setAt(draft, flag.key.split("."), value);
}

/** Its kind, where flags name what only one has. */
function applyWorkload(draft: PlanDraft, flags: RunFlagValues): void {
  if (flags.dataset !== undefined) {
    const workload = recordAt(draft, "workload");
    if (workload["kind"] === undefined) workload["kind"] = "dataset";
    // Those of another file.
    delete workload["sha256"];
    delete workload["bytes"];
  }
}

function applyHeader(draft: PlanDraft, text: string): void {
  const at = text.indexOf(":");
  if (at < 1) throw invalidFlag("header", `"${text.slice(0, 20)}" is no header: write 'name: value'`);
  recordAt(recordAt(draft, "target"), "headers")[text.slice(0, at).trim()] = text.slice(at + 1).trim();
}

function applySet(draft: PlanDraft, text: string): void {
  const at = text.indexOf("=");
  const path = at < 1 ? undefined : parsePath(text.slice(0, at).trim());
  if (path === undefined)
    throw invalidFlag("set", `"${text}" is no setting: write key=value, such as timeouts.ttftMs=30s`);
  if (!setAt(draft, path, jsonOrText(text.slice(at + 1)))) {
    throw invalidFlag("set", `"${text}" names an entry past the end of its list`);
  }
}

function jsonOrText(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

const USER_FLAGS: readonly RunFlagName[] = ["requests", "rampUp", "settle", "think"];
const RATE_FLAGS: readonly RunFlagName[] = ["spacing", "maxInFlight"];
const EXCLUSIVE: readonly (readonly [RunFlagName, RunFlagName])[] = [
  ["users", "rps"],
  ["duration", "requests"],
  ["rps", "requests"],
  ["trace", "users"],
  ["trace", "rps"],
  ["trace", "requests"],
];

const FLAG_LOADS: Readonly<Partial<Record<RunFlagName, string>>> = {
  ...Object.fromEntries(USER_FLAGS.map((name) => [name, "is for users, not for an arrival rate"])),
  spacing: "is for an arrival rate: give --rps",
  maxInFlight: "is for an arrival rate: give --rps",
  speed: "is for a trace: give --trace",
};

function applyLoad(draft: PlanDraft, flags: RunFlagValues): void {
  for (const [one, other] of EXCLUSIVE) {
    if (flags[one] !== undefined && flags[other] !== undefined) {
      throw invalidFlag(one, `cannot stand beside --${other}: choose one`);
    }
  }
  const levels = planValue(flags, "users");
  const rates = planValue(flags, "rps");
  const trace = planValue(flags, "trace");
  if (trace !== undefined) replaceTrace(draft, trace);
  else if (levels !== undefined) replaceStages(draft, "users", levels);
  else if (rates !== undefined) replaceStages(draft, "arrival-rate", rates);
  else if (draft["load"] === undefined) {
    replaceStages(draft, "users", [{ users: PLAN_DEFAULTS.flags.users }]);
  }
  const load = draft["load"];
  if (!isRecord(load)) return;
  if (load["kind"] === "trace") {
    refuseFlagsOf([...USER_FLAGS, "spacing"], flags);
    const length = planValue(flags, "duration");
    if (length !== undefined) load["durationMs"] = length;
  } else refuseFlagsOf([...(load["kind"] === "arrival-rate" ? USER_FLAGS : RATE_FLAGS), "speed"], flags);
  for (const name of ["think", "spacing", "maxInFlight", "speed"] as const) {
    const value = planValue(flags, name);
    if (value !== undefined) load[keyOf(name)] = value;
  }
  if (Array.isArray(load["stages"]))
    for (const stage of load["stages"]) if (isRecord(stage)) applyToStage(stage, flags);
}

/** Another file has other facts; how the one before was to be sent stays. */
function replaceTrace(draft: PlanDraft, file: unknown): void {
  const before = isRecord(draft["load"]) && draft["load"]["kind"] === "trace" ? draft["load"] : {};
  const kept = Object.entries(before).filter(([key]) => !OF_FILE.has(key));
  draft["load"] = { ...Object.fromEntries(kept), kind: "trace", file };
}

const OF_FILE: ReadonlySet<string> = new Set(["file", "sha256", "bytes", "requests", "lengthMs", "density"]);

/** New stages take what the base's stage at their place (else its last) says beside its name and level. */
function replaceStages(draft: PlanDraft, kind: "users" | "arrival-rate", levels: unknown): void {
  const before = isRecord(draft["load"]) && draft["load"]["kind"] === kind ? draft["load"] : {};
  const models: unknown[] = Array.isArray(before["stages"]) ? before["stages"] : [];
  const stages = (Array.isArray(levels) ? levels : []).map((level: unknown, i) => {
    const model = models[Math.min(i, models.length - 1)];
    const kept = Object.entries(isRecord(model) ? model : DEFAULT_STAGE).filter(
      ([key]) => !OF_LEVEL.has(key),
    );
    return { ...(isRecord(level) ? level : {}), ...Object.fromEntries(kept) };
  });
  draft["load"] = { ...before, kind, stages };
}

const DEFAULT_STAGE: PlanDraft = { durationMs: formatDurationMs(PLAN_DEFAULTS.flags.durationMs) };
const OF_LEVEL: ReadonlySet<string> = new Set(["name", "users", "fromRps", "toRps"]);

function applyToStage(stage: PlanDraft, flags: RunFlagValues): void {
  for (const name of ["duration", "requests", "rampUp", "settle"] as const) {
    const value = planValue(flags, name);
    if (value === undefined) continue;
    if (name === "duration") delete stage["requests"];
    if (name === "requests") delete stage["durationMs"];
    stage[keyOf(name)] = value;
  }
}

function refuseFlagsOf(names: readonly RunFlagName[], flags: RunFlagValues): void {
  const name = names.find((one) => flags[one] !== undefined);
  if (name === undefined) return;
  throw invalidFlag(name, FLAG_LOADS[name] ?? "does not go with this load");
}

/** The last part of the key that a flag stands for. */
function keyOf(name: RunFlagName): string {
  return flagOf(name).key.split(".").at(-1) ?? "";
}

function flagOf(name: RunFlagName): RunFlag {
  const flag = RUN_FLAGS.find((one) => one.name === name);
  assert(flag !== undefined, `there is no flag ${name}`);
  return flag;
}

/** A flag's value as the plan has it; undefined when it was not given. */
function planValue(flags: RunFlagValues, name: RunFlagName): unknown {
  const flag = flagOf(name);
  const given = flags[name];
  if (given === undefined || given === false) return undefined;
  if (flag.kind === "switch") return name !== "respectEos";
  if (flag.kind === "list") return textsOf(flags, name);
  const reading = readFlag(flag, typeof given === "string" ? given : String(given));
  if (!reading.ok) throw invalidFlag(name, reading.problem);
  return reading.value;
}

function textsOf(flags: RunFlagValues, name: RunFlagName): readonly string[] {
  const given = flags[name];
  if (typeof given === "string") return [given];
  return Array.isArray(given) ? given : [];
}

function invalidFlag(name: RunFlagName, problem: string): LoadError {
  return new LoadError("PLAN_INVALID", `${flagOf(name).flag}: ${problem}`);
}
