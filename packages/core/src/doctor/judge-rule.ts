import type { DeploymentFacts } from "./deployment-facts.js";
import { isAtLeast, isOfSeries, parseEngineVersion } from "./engine-version.js";
import { type UsedFact, usedFact } from "./fact.js";
import { judgeCondition } from "./judge-condition.js";
import { type DoctorRule, type Severity, STUDIED_ENGINE } from "./rules.js";

/**
 * `holds`: nothing to object. `broken`: it is not as it should be. `unknown`: a fact that would decide is not known.
 * `left-out`: the rule is known not to hold for this engine or platform.
 */
export type RuleOutcome = "holds" | "broken" | "unknown" | "left-out";

export interface RuleAnswer {
  readonly rule: string;
  readonly outcome: RuleOutcome;
  /** Of the rule, an error made a warning where it is not known to hold for this engine. */
  readonly severity: Severity;
  /** What is, and what is needed. */
  readonly sentence: string;
  /** What the answer rests on. */
  readonly facts: readonly UsedFact[];
  readonly reason: string;
  readonly symptom: string | null;
  readonly source: string;
  /** How far the rule reaches, where that bears on the answer. */
  readonly note: string | null;
}

/** Undefined for a rule that says nothing of such a model. */
export function judgeRule(rule: DoctorRule, facts: DeploymentFacts): RuleAnswer | undefined {
  const applies = appliesTo(rule, facts);
  if (applies.kind === "no") return undefined;
  if (applies.kind === "unknown") return answer(rule, { outcome: "unknown", ...applies });
  const { platform } = facts;
  if (rule.platform !== undefined && platform.kind !== "unknown" && platform.value !== rule.platform) {
    const says = `this is a rule of ${rule.platform}, and the platform is ${platform.value}`;
    return answer(rule, { outcome: "left-out", says, facts: [usedFact("platform", platform)] });
  }
  const reach = reachOf(rule, facts);
  if (reach.kind === "gone") {
    const used = [usedFact("the version", facts.engineVersion)];
    return answer(rule, { outcome: "left-out", says: reach.note, facts: used });
  }
  const judged = judgeCondition(rule.condition, facts);
  if (judged.holds === null) return answer(rule, { outcome: "unknown", ...judged });
  if (judged.holds) return answer(rule, { outcome: "holds", ...judged });
  const used = [
    ...judged.facts,
    ...(reach.kind === "all" ? [] : [usedFact("the version", facts.engineVersion)]),
  ];
  const broken = { outcome: "broken" as const, says: judged.says, facts: used };
  if (reach.kind === "undecided") return answer(rule, { ...broken, outcome: "unknown", note: reach.note });
  if (reach.kind === "all") return answer(rule, { ...broken, note: platformNote(rule, facts) });
  const severity = reach.kind === "not-studied" && rule.severity === "error" ? "warning" : rule.severity;
  return answer(rule, {
    ...broken,
    severity,
    note: [reach.note, platformNote(rule, facts)].filter((n) => n !== null).join("; "),
  });
}

type Applies =
  | { readonly kind: "yes" | "no" }
  | { readonly kind: "unknown"; readonly says: string; readonly facts: readonly UsedFact[] };

function appliesTo({ appliesTo: to }: DoctorRule, facts: DeploymentFacts): Applies {
  if (to.models !== undefined) {
    const isMeant = facts.known !== undefined && to.models.includes(facts.known.id);
    return { kind: isMeant ? "yes" : "no" };
  }
  if (to.attention !== undefined) {
    const { attention } = facts;
    if (attention.kind === "unknown")
      return {
        kind: "unknown",
        says: `it is a rule for ${to.attention}, and the model's attention is unknown`,
        facts: [usedFact("attention", attention)],
      };
    return { kind: attention.value === to.attention ? "yes" : "no" };
  }
  if (to.modality === undefined) return { kind: "yes" };
  const { modalities } = facts;
  if (modalities.kind === "unknown")
    return {
      kind: "unknown",
      says: `it is a rule for models that take ${to.modality}s, and what this one takes is unknown`,
      facts: [{ name: "modalities", kind: "unknown", value: null, from: modalities.why }],
    };
  return { kind: modalities.value.includes(to.modality) ? "yes" : "no" };
}

type Reach =
  | { readonly kind: "all" }
  | { readonly kind: "studied" | "not-studied" | "undecided" | "gone"; readonly note: string };

function reachOf({ engine }: DoctorRule, facts: DeploymentFacts): Reach {
  if (engine.kind === "any") return { kind: "all" };
  const { engineVersion } = facts;
  const text = engineVersion.kind === "unknown" ? "" : engineVersion.value;
  const version = parseEngineVersion(text);
  const gone = engine.goneFrom;
  if (version === undefined) {
    if (gone === undefined)
      return { kind: "studied", note: `found on vLLM ${STUDIED_ENGINE}; the version is unknown` };
    return {
      kind: "undecided",
      note: `this held until vLLM ${gone.version}, and the version is unknown: ${gone.note}`,
    };
  }
  const goneFrom = gone === undefined ? undefined : parseEngineVersion(gone.version);
  if (gone !== undefined && goneFrom !== undefined) {
    const isGone = isAtLeast(version, goneFrom);
    if (isGone === true) return { kind: "gone", note: `not from vLLM ${gone.version} on: ${gone.note}` };
    if (isGone === undefined)
      return { kind: "undecided", note: `${text} is on the way to ${gone.version}: ${gone.note}` };
  }
  const series = parseEngineVersion(STUDIED_ENGINE);
  const isStudied = series !== undefined && isOfSeries(version, series);
  if (isStudied) return { kind: "studied", note: `holds for the studied vLLM ${STUDIED_ENGINE}` };
  return {
    kind: "not-studied",
    note: `found on vLLM ${STUDIED_ENGINE} and ROCm 6.4; whether ${text} still needs it is not known`,
  };
}

function platformNote(rule: DoctorRule, facts: DeploymentFacts): string | null {
  if (rule.platform === undefined || facts.platform.kind !== "unknown") return null;
  return `a rule of ${rule.platform}; the platform is unknown`;
}

function answer(
  rule: DoctorRule,
  found: {
    readonly outcome: RuleOutcome;
    readonly says: string;
    readonly facts: readonly UsedFact[];
    readonly severity?: Severity;
    readonly note?: string | null;
  },
): RuleAnswer {
  const { outcome, says, facts } = found;
  return {
    rule: rule.id,
    outcome,
    severity: found.severity ?? rule.severity,
    sentence: outcome === "left-out" ? says : `${says}: ${rule.needs}`,
    facts,
    reason: rule.reason,
    symptom: rule.symptom,
    source: rule.source,
    note: found.note === undefined || found.note === "" ? null : found.note,
  };
}
