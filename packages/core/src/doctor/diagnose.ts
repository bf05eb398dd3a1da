import { type DeploymentFacts, deploymentFacts, type FactSources } from "./deployment-facts.js";
import type { UsedFact } from "./fact.js";
import { usedFact } from "./fact.js";
import type { CHECK_LIMITS } from "./host-limits.js";
import { isSame } from "./judge-condition.js";
import { judgeRule, type RuleAnswer } from "./judge-rule.js";
import { DOCTOR_NOTES, DOCTOR_RULES } from "./rules.js";
import { CACHE_LABELS } from "./seen-server.js";

/** What was stated and what the server shows are not the same. */
export interface Contradiction {
  readonly what: string;
  readonly stated: string;
  readonly seen: string;
  readonly from: string;
}

/** What doctor says of one deployment. */
export interface DeploymentDiagnosis {
  readonly name: string;
  readonly model: string | null;
  /** Of the model, the versions and the like, with where each comes from. */
  readonly facts: readonly UsedFact[];
  readonly answers: readonly RuleAnswer[];
  readonly contradictions: readonly Contradiction[];
  /** Options that are not known here, and so not judged. */
  readonly unknownFlags: readonly string[];
  readonly notes: readonly string[];
}

/** Host or agent: what was looked at, and what it means. */
export interface HostCheck {
  readonly id: string;
  /** `this host`, or an agent's name. */
  readonly where: string;
  readonly outcome: "fine" | "error" | "warning" | "unknown";
  readonly sentence: string;
}

export interface DoctorReport {
  readonly schemaVersion: 1;
  readonly deployments: readonly DeploymentDiagnosis[];
  readonly host: readonly HostCheck[];
  /** Why the target told less than it could. */
  readonly targetNotes: readonly string[];
  readonly counts: DoctorCounts;
  readonly limits: typeof CHECK_LIMITS;
}

export interface DoctorCounts {
  readonly errors: number;
  readonly warnings: number;
  readonly unknown: number;
}

/** Judges one deployment by all rules. Pure; throws nothing. */
export function diagnoseDeployment(name: string, sources: FactSources): DeploymentDiagnosis {
  const facts = deploymentFacts(sources);
  const { model } = facts;
  return {
    name,
    model: model.kind === "unknown" ? null : model.value,
    facts: mainFacts(facts),
    answers: DOCTOR_RULES.flatMap((rule) => judgeRule(rule, facts) ?? []),
    contradictions: contradictionsOf(sources),
    unknownFlags: sources.stated?.unknownFlags ?? [],
    notes: DOCTOR_NOTES.filter(
      ({ models }) => facts.known !== undefined && models.includes(facts.known.id),
    ).map(({ text, source }) => `${text} (${source})`),
  };
}

function mainFacts(facts: DeploymentFacts): UsedFact[] {
  return [
    usedFact("model", facts.model),
    usedFact("attention", facts.attention),
    usedFact("vLLM", facts.engineVersion),
    usedFact("platform", facts.platform),
    usedFact("GPUs", facts.gpus),
  ];
}

function contradictionsOf({ stated, seen }: FactSources): Contradiction[] {
  if (stated === undefined || seen === undefined) return [];
  const found: Contradiction[] = [];
  const compare = (what: string, said: string | undefined, saw: string | undefined, from: string) => {
    if (said === undefined || saw === undefined || isSame(said, saw)) return;
    found.push({ what, stated: said, seen: saw, from });
  };
  const served = stated.args.get("--served-model-name");
  const names = [stated.model, ...(typeof served === "string" ? [served] : [])];
  const [first] = seen.models;
  const isServed = seen.models.some(
    ({ id, root }) => names.includes(id) || (root !== undefined && names.includes(root)),
  );
  if (first !== undefined && stated.model !== undefined && !isServed)
    compare("the model", stated.model, first.id, "/v1/models");
  compare("the version", stated.engineVersion, seen.version?.split("+")[0], "/version");
  const length = first?.maxModelLen;
  const saidLength = stated.args.get("--max-model-len");
  if (typeof saidLength === "string" && /^\d+$/.test(saidLength))
    compare("--max-model-len", saidLength, length === undefined ? undefined : String(length), "/v1/models");
  for (const [flag, label] of Object.entries(CACHE_LABELS)) {
    const said = stated.args.get(flag);
    const saw = seen.cacheConfig?.[label];
    // The server may show a choice that it was left to make.
    if (said === undefined || saw === undefined || said === "auto" || saw === "auto") continue;
    compare(flag, String(said), saw === "None" ? "not set" : saw, "/metrics, cache_config_info");
  }
  return found;
}

/** What is wrong, what may be, and what nobody can tell, over everything that was looked at. */
export function countFindings(report: Pick<DoctorReport, "deployments" | "host">): DoctorCounts {
  let errors = 0;
  let warnings = 0;
  let unknown = 0;
  for (const { answers, contradictions } of report.deployments) {
    errors += contradictions.length;
    for (const { outcome, severity } of answers) {
      if (outcome === "unknown" && severity !== "info") unknown += 1;
      if (outcome !== "broken") continue;
      if (severity === "error") errors += 1;
      if (severity === "warning") warnings += 1;
    }
  }
  for (const { outcome } of report.host) {
    if (outcome === "error") errors += 1;
    if (outcome === "warning") warnings += 1;
    if (outcome === "unknown") unknown += 1;
  }
  return { errors, warnings, unknown };
}
