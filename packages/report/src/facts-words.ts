import type { RunReport } from "@tokenstorm/core";
import { formatNumber } from "./units.js";

type Facts = NonNullable<RunReport["run"]["facts"]>;

const PARAMETERS = "total and active parameters";
/** The facts that a reader looks for first; one that was not stated is a gap, and said to be one. */
const FIRST = [PARAMETERS, "precision", "AITER"] as const;

/** What a plan states of the deployment, by name; null for those of the first that it does not. */
export function factsWords(facts: Facts = {}): [name: string, value: string | null][] {
  const stated = new Map(statedFacts(facts));
  const first = FIRST.map((name): [string, string | null] => [name, stated.get(name) ?? null]);
  const rest = [...stated].filter(([name]) => !FIRST.some((one) => one === name));
  return [...first, ...rest];
}

/** Only those that were stated. */
export function statedFacts(facts: Facts): [name: string, value: string][] {
  const { env = {}, more = {} } = facts;
  const all: [string, string | number | undefined][] = [
    [PARAMETERS, parameters(facts)],
    ["precision", facts.precision],
    ["AITER", facts.aiter],
    ["attention", facts.attention],
    ["KV cache type", facts.kvDtype],
    ["KV offload", offload(facts.kvOffloadGiB)],
    ["KV block", facts.blockSize === undefined ? undefined : `${facts.blockSize} tokens`],
    ["GPU", facts.gpu],
    ["tensor parallel", facts.tensorParallel],
    ["engine, as stated", engine(facts)],
    ["started by", facts.serve],
    ...Object.entries(env).map(([name, value]): [string, string] => [`environment ${name}`, value]),
    ...Object.entries(more),
  ];
  return all.flatMap(([name, value]): [string, string][] =>
    value === undefined ? [] : [[name, String(value)]],
  );
}

function parameters({ paramsTotalB, paramsActiveB }: Facts): string | undefined {
  const billions = (value: number | undefined) => (value === undefined ? "?" : `${formatNumber(value)} B`);
  if (paramsTotalB === undefined && paramsActiveB === undefined) return undefined;
  return `${billions(paramsTotalB)} total, ${billions(paramsActiveB)} active`;
}

function offload(gib: number | undefined): string | undefined {
  if (gib === undefined) return undefined;
  return gib === 0 ? "none" : `${formatNumber(gib)} GiB`;
}

function engine({ engine: name, engineVersion }: Facts): string | undefined {
  if (name === undefined && engineVersion === undefined) return undefined;
  return [name, engineVersion].filter((one) => one !== undefined).join(" ");
}

/** What fits on a report's first lines: no command line and no environment. */
export function briefFacts(facts: Facts): string {
  const { serve: _, env: __, more: ___, ...brief } = facts;
  const words = statedFacts(brief).map(([name, value]) => (name === PARAMETERS ? value : `${name} ${value}`));
  return words.length === 0 ? "" : `deployment, as stated: ${words.join(", ")}`;
}
