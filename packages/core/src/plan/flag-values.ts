import type { FlagKind, RunFlag } from "./flags.js";
import { parseDurationMs } from "./schema-parts.js";

/** A flag's text as a value of the plan, or what is wrong with it, for a person. */
export type FlagReading =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly problem: string };

/** What is wrong with a flag's text; undefined when it can be read. For the command line's own check, before any plan. */
export function checkFlag(flag: Pick<RunFlag, "kind" | "name">, text: string): string | undefined {
  const reading = readFlag(flag, text);
  return reading.ok ? undefined : reading.problem;
}

export function readFlag(flag: Pick<RunFlag, "kind" | "name">, text: string): FlagReading {
  if (flag.name === "api") return { ok: true, value: API_NAMES[text] ?? text };
  return READERS[flag.kind](text);
}

/** The short names that the command line takes. */
const API_NAMES: Readonly<Record<string, string>> = {
  chat: "openai-chat",
  completions: "openai-completions",
};

const READERS: Readonly<Record<FlagKind, (text: string) => FlagReading>> = {
  text: (text) => ({ ok: true, value: text }),
  list: (text) => ({ ok: true, value: text }),
  switch: () => ({ ok: true, value: true }),
  number: (text) => reading(numberOf(text), `"${text}" is no number`),
  duration: (text) =>
    reading(
      parseDurationMs(text) === undefined ? undefined : text.trim(),
      `"${text}" is no duration: write 500ms, 30s, 2m, 1h`,
    ),
  length: (text) =>
    reading(
      lengthOf(text),
      `"${text}" is no length: write 512, uniform:100-500, normal:512,64 or lognormal:512,0.5`,
    ),
  levels: (text) => reading(levelsOf(text), `"${text}" is no list of numbers of users, such as 1,10,100`),
  rates: (text) =>
    reading(ratesOf(text), `"${text}" is no list of rates, such as 10,50 or, for a slope, 10-50`),
  pair: (text) => ({ ok: true, value: text }),
};

function reading(value: unknown, problem: string): FlagReading {
  return value === undefined ? { ok: false, problem } : { ok: true, value };
}

function numberOf(text: string): number | undefined {
  const value = Number(text);
  return text.trim() !== "" && Number.isFinite(value) ? value : undefined;
}

/** All of them, or undefined when one is no number. */
function numbersOf(texts: readonly string[]): number[] | undefined {
  const values = texts.map(numberOf).filter((value) => value !== undefined);
  return values.length === texts.length ? values : undefined;
}

function levelsOf(text: string): { readonly users: number }[] | undefined {
  const levels = numbersOf(text.split(","));
  const areUsers = levels?.every((level) => Number.isInteger(level) && level > 0) === true;
  return areUsers ? levels.map((users) => ({ users })) : undefined;
}

function ratesOf(text: string): { readonly fromRps: number; readonly toRps?: number }[] | undefined {
  const stages = text.split(",").map((part) => {
    const [fromRps, toRps, ...more] = numbersOf(part.split("-")) ?? [];
    if (fromRps === undefined || more.length > 0) return undefined;
    return toRps === undefined ? { fromRps } : { fromRps, toRps };
  });
  const read = stages.filter((stage) => stage !== undefined);
  return read.length === stages.length ? read : undefined;
}

/** `512`, `uniform:100-500`, `normal:512,64` (mean, sd), `lognormal:512,0.5` (median, sigma). */
function lengthOf(text: string): unknown {
  const [kind = "", rest, ...more] = text.split(":");
  if (rest === undefined) return numberOf(text);
  const values = numbersOf(rest.split(kind === "uniform" ? "-" : ","));
  if (values?.length !== 2 || more.length > 0) return undefined;
  const [first, second] = values;
  if (kind === "uniform") return { kind, min: first, max: second };
  if (kind === "normal") return { kind, mean: first, sd: second };
  if (kind === "lognormal") return { kind, median: first, sigma: second };
  return undefined;
}
