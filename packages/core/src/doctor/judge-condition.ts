import type { RuleCondition, Unset } from "./conditions.js";
import type { DeploymentFacts } from "./deployment-facts.js";
import { parseEngineVersion } from "./engine-version.js";
import { type Fact, type UsedFact, usedFact } from "./fact.js";
import type { ArgValue } from "./stated-deployment.js";

/** Whether a condition holds; null where a fact that would decide it is unknown. */
export interface Judged {
  readonly holds: boolean | null;
  /** What is the case, as part of a sentence: `--block-size is 16`. */
  readonly says: string;
  readonly facts: readonly UsedFact[];
}

export function judgeCondition(condition: RuleCondition, facts: DeploymentFacts): Judged {
  switch (condition.kind) {
    case "arg-is":
      return valueIs(condition.flag, facts.arg(condition.flag), { ...condition, facts });
    case "env-is":
      return valueIs(condition.name, asSwitch(condition.name, facts.env(condition.name)), {
        ...condition,
        facts,
      });
    case "args-not-given":
      return allOf(condition.flags.map((flag) => notGiven(flag, facts.arg(flag))));
    case "arg-not-like":
      return notLike(condition, facts.arg(condition.flag));
    case "model-name-lacks":
      return nameLacks(condition.word, facts.model);
    case "image-or-build-is":
      return imageOrBuild(condition.word, facts);
    case "heads-divide":
      return headsDivide(facts);
    case "gpus-suffice":
      return gpusSuffice(facts);
    case "context-fits":
      return contextFits(facts);
    case "given-with":
      return givenWith(condition, facts);
    case "arg-between":
      return between(condition, facts.arg(condition.flag));
    case "host-setting-is": {
      const setting = facts.hostSetting(condition.name);
      return verdict(condition.name, setting, (value) => value === condition.value);
    }
    case "all":
      return allOf(condition.of.map((one) => judgeCondition(one, facts)));
  }
}

/** The first that does not hold decides, else the first that is unknown. */
function allOf(parts: readonly Judged[]): Judged {
  const facts = parts.flatMap((part) => part.facts);
  const decisive = parts.find(({ holds }) => holds === false) ?? parts.find(({ holds }) => holds === null);
  if (decisive !== undefined) return { ...decisive, facts: decisive.facts };
  return { holds: true, says: parts.map(({ says }) => says).join(", "), facts };
}

type Value = ArgValue | number | null;

/** A sentence about one fact, and a judgement of it where it is known. */
function verdict<V extends Value>(name: string, fact: Fact<V>, holds: (value: V) => boolean | null): Judged {
  const facts = [usedFact(name, fact)];
  if (fact.kind === "unknown") return { holds: null, says: `${name} is unknown`, facts };
  return { holds: holds(fact.value), says: sayValue(name, fact.value), facts };
}

function sayValue(name: string, value: Value): string {
  if (value === null) return name.startsWith("--") ? `${name} is not given` : `${name} is not set`;
  if (value === true) return `${name} is given`;
  if (value === false) return `${name} is turned off`;
  return `${name} is ${value}`;
}

function valueIs(
  name: string,
  fact: Fact<ArgValue | null>,
  {
    value: wanted,
    unset,
    facts,
  }: { readonly value: string; readonly unset: Unset; readonly facts: DeploymentFacts },
): Judged {
  const { notKnownFor } = unset;
  const isNotKnown = facts.known !== undefined && notKnownFor?.models.includes(facts.known.id) === true;
  const whenUnset = isNotKnown ? null : isSame(unset.countsAs, wanted);
  const judged = verdict(name, fact, (value) => (value === null ? whenUnset : isSame(value, wanted)));
  if (fact.kind === "unknown" || fact.value !== null) return judged;
  const because = isNotKnown && notKnownFor !== undefined ? notKnownFor.because : unset.because;
  return { ...judged, says: `${judged.says}, and ${because}` };
}

/** `1` and `01` are the same number; words regardless of case. */
export function isSame(a: ArgValue, b: ArgValue): boolean {
  const [one, other] = [String(a).trim().toLowerCase(), String(b).trim().toLowerCase()];
  return one === other || (one !== "" && other !== "" && Number(one) === Number(other));
}

/** vLLM reads its own switches as on for `1` and `true`, whatever their case; other programs want the number. */
function asSwitch(name: string, fact: Fact<string | null>): Fact<string | null> {
  if (fact.kind === "unknown" || fact.value === null || !name.startsWith("VLLM_")) return fact;
  const word = fact.value.toLowerCase();
  return { ...fact, value: word === "true" ? "1" : word === "false" ? "0" : fact.value };
}

function notGiven(flag: string, fact: Fact<ArgValue | null>): Judged {
  return verdict(flag, fact, (value) => value === null || value === false);
}

function notLike(
  {
    flag,
    prefix,
    except,
  }: { readonly flag: string; readonly prefix: string; readonly except?: readonly string[] },
  fact: Fact<ArgValue | null>,
): Judged {
  return verdict(flag, fact, (value) => {
    const text = String(value ?? "").toLowerCase();
    return !text.startsWith(prefix) || except?.includes(text) === true;
  });
}

function nameLacks(word: string, model: Fact<string>): Judged {
  return verdict("the model", model, (name) => !name.toLowerCase().includes(word));
}

/** A build on the way to a release is none of the stable ones, whatever its image is called. */
function imageOrBuild(word: string, facts: DeploymentFacts): Judged {
  const version =
    facts.engineVersion.kind === "seen" ? parseEngineVersion(facts.engineVersion.value) : undefined;
  if (version?.isBeforeRelease === true) return verdict("the version", facts.engineVersion, () => true);
  const image = verdict("the image", facts.image, (name) => name?.toLowerCase().includes(word) === true);
  if (image.holds !== null || version === undefined) return image;
  // The server runs a release: that is seen, whatever image it came in.
  return verdict("the version", facts.engineVersion, () => false);
}

function parallel(fact: Fact<ArgValue | null>): number | undefined {
  if (fact.kind === "unknown") return undefined;
  const count = fact.value === null ? 1 : Number(fact.value);
  return Number.isSafeInteger(count) && count > 0 ? count : undefined;
}

function headsDivide(facts: DeploymentFacts): Judged {
  const flag = "--tensor-parallel-size";
  const fact = facts.arg(flag);
  const ranks = parallel(fact);
  const used = [usedFact(flag, fact), usedFact("the model", facts.model)];
  if (facts.known === undefined)
    return { holds: null, says: "the model's number of heads is unknown", facts: used };
  if (ranks === undefined) return { holds: null, says: `${flag} is unknown`, facts: used };
  const { heads, kvHeads } = facts.known;
  const splits = heads % ranks === 0;
  const kvSplits = kvHeads === null || kvHeads % ranks === 0 || ranks % kvHeads === 0;
  const what = splits && !kvSplits ? `${kvHeads} KV heads` : `${heads} heads`;
  const how = splits && kvSplits ? "are split evenly over" : "cannot be split evenly over";
  return { holds: splits && kvSplits, says: `${what} ${how} ${ranks} GPUs (${flag})`, facts: used };
}

function gpusSuffice(facts: DeploymentFacts): Judged {
  const flags = ["--tensor-parallel-size", "--pipeline-parallel-size", "--data-parallel-size"] as const;
  const sizes = flags.map((flag) => ({ flag, fact: facts.arg(flag) }));
  const used = [...sizes.map(({ flag, fact }) => usedFact(flag, fact)), usedFact("GPUs", facts.gpus)];
  const needed = sizes.reduce((product, { fact }) => product * (parallel(fact) ?? Number.NaN), 1);
  if (facts.gpus.kind === "unknown" || Number.isNaN(needed))
    return { holds: null, says: "the number of GPUs is unknown", facts: used };
  const has = facts.gpus.value;
  return { holds: needed <= has, says: `${needed} GPUs are asked for, of ${has}`, facts: used };
}

function contextFits(facts: DeploymentFacts): Judged {
  const flag = "--max-model-len";
  const fact = facts.arg(flag);
  const used = [usedFact(flag, fact), usedFact("the model's context", facts.context)];
  if (fact.kind === "unknown") return { holds: null, says: `${flag} is unknown`, facts: used };
  if (fact.value === null || /^(auto|-1)$/i.test(String(fact.value)))
    return { holds: true, says: `${flag} is left to the model's own context`, facts: used };
  const asked = tokens(String(fact.value));
  if (asked === undefined)
    return { holds: false, says: `${flag} is ${fact.value}, which is no number of tokens`, facts: used };
  const overrides = facts.arg("--hf-overrides");
  if (overrides.kind !== "unknown" && overrides.value !== null)
    return { holds: null, says: "--hf-overrides may change the model's context", facts: used };
  if (facts.context.kind === "unknown")
    return { holds: null, says: "the model's context is unknown", facts: used };
  const { value: context } = facts.context;
  return {
    holds: asked <= context,
    says: `${flag} is ${asked}, and the model's context has ${context} tokens`,
    facts: used,
  };
}

/** As vLLM reads it: `32768`, `32k` (1,000), `32K` (1,024), m and M alike. */
function tokens(text: string): number | undefined {
  const found = /^(\d+(?:\.\d+)?)([kKmMgG]?)$/.exec(text.trim());
  if (found === null) return undefined;
  const factors: Readonly<Record<string, number>> = {
    k: 1e3,
    m: 1e6,
    g: 1e9,
    K: 1024,
    M: 1024 ** 2,
    G: 1024 ** 3,
  };
  return Math.floor(Number(found[1]) * (factors[found[2] ?? ""] ?? 1));
}

function givenWith(
  { flag, needs }: { readonly flag: string; readonly needs: string },
  facts: DeploymentFacts,
): Judged {
  const given = notGiven(flag, facts.arg(flag));
  if (given.holds !== false) return given;
  const other = notGiven(needs, facts.arg(needs));
  return {
    holds: other.holds === null ? null : !other.holds,
    says: `${given.says}, and ${other.says}`,
    facts: [...given.facts, ...other.facts],
  };
}

function between(
  { flag, least, most }: { readonly flag: string; readonly least: number; readonly most: number },
  fact: Fact<ArgValue | null>,
): Judged {
  return verdict(flag, fact, (value) => value === null || (Number(value) >= least && Number(value) <= most));
}
