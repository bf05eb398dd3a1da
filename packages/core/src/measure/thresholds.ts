import { METRICS, type MetricName } from "./snapshot.js";

/** What a threshold looks at: a latency, a share, a rate or a count of one level. */
export type ThresholdMetric =
  | { readonly kind: "latency"; readonly metric: MetricName; readonly stat: LatencyStat }
  | { readonly kind: "value"; readonly name: (typeof VALUE_METRICS)[number] };

/** A percentile (99.9 for p99.9 or p999), or a figure of the whole. */
export type LatencyStat = number | "mean" | "min" | "max";

export const VALUE_METRICS = [
  "success.rate",
  "success.lower95",
  "goodput.rate",
  "rates.requestsPerS",
  "rates.outputTokensPerS",
  "rates.promptTokensPerS",
  "inFlight.mean",
  "failures.count",
  "drops.count",
  "requests.completed",
  "requests.censored",
] as const;

export type ThresholdOp = "<" | "<=" | ">" | ">=";

/** One parsed expression: `ttft.p99{stage=u100} < 500ms`. */
export interface Threshold {
  readonly expression: string;
  /** As written, before the operator. */
  readonly name: string;
  readonly metric: ThresholdMetric;
  /** Only this stage; every measured one when null. */
  readonly stage: string | null;
  readonly op: ThresholdOp;
  /** us for latencies; a share, 0 to 1, for success and goodput; else the unit of the figure. */
  readonly limit: number;
  /** It ends the run as soon as a level fails it. */
  readonly abortOnFail: boolean;
}

const GRAMMAR =
  /^\s*([A-Za-z][A-Za-z0-9]*)(?:\.([A-Za-z0-9.]+))?\s*(?:\{\s*stage\s*=\s*([^}]+?)\s*\})?\s*(<=|>=|<|>)\s*(.+?)(\s+abortOnFail)?\s*$/;
const LATENCIES = METRICS.filter((name) => !/Censored|Tokens/.test(name));
const EXAMPLE = "write it like `ttft.p99 < 500ms`, `success.rate >= 0.999` or `e2e.p95{stage=u100} < 20s`";

/** Reads an expression; what is wrong with it is said in words. */
export function parseThreshold(text: string): Threshold | { readonly problem: string } {
  const match = GRAMMAR.exec(text);
  if (match === null) return { problem: `"${text}" is no threshold: ${EXAMPLE}` };
  const [, base = "", stat, stage, op = "<", value = "", abort] = match;
  const metric = metricOf(base, stat);
  if ("problem" in metric) return metric;
  const limit = limitOf(value, metric);
  if (typeof limit !== "number") return limit;
  if (op !== "<" && op !== "<=" && op !== ">" && op !== ">=") return { problem: EXAMPLE };
  const name = stat === undefined ? base : `${base}.${stat}`;
  const abortOnFail = abort !== undefined;
  if (abortOnFail && isToldAtTheEnd({ name, op }))
    return {
      problem: `abortOnFail: whether ${name} ${op} ${value} fails is known when the level is over, not before`,
    };
  return { expression: text.trim(), name, metric, stage: stage ?? null, op, limit, abortOnFail };
}

/** Grow with the number of requests: what is too low now may still become enough. */
function isToldAtTheEnd({ name, op }: Pick<Threshold, "name" | "op">): boolean {
  return GROWING.has(name) && (op === ">" || op === ">=");
}

const GROWING: ReadonlySet<string> = new Set([
  // The bound of a level without any failure is below 99 % until 299 requests have ended.
  "success.lower95",
  "failures.count",
  "drops.count",
  "requests.completed",
  "requests.censored",
] satisfies (typeof VALUE_METRICS)[number][]);

function metricOf(base: string, stat: string | undefined): ThresholdMetric | { readonly problem: string } {
  const value = VALUE_METRICS.find((name) => name === `${base}.${stat ?? ""}`);
  if (value !== undefined) return { kind: "value", name: value };
  const latency = LATENCIES.find((name) => name === base);
  if (latency === undefined) {
    const known = [...LATENCIES.map((name) => `${name}.p99`), ...VALUE_METRICS].join(", ");
    return { problem: `"${base}${stat === undefined ? "" : `.${stat}`}" is no metric; there are ${known}` };
  }
  const parsed = statOf(stat ?? "");
  if (parsed !== undefined) return { kind: "latency", metric: latency, stat: parsed };
  return {
    problem: `"${base}.${stat ?? ""}" names no figure: use p50, p90, p95, p99, p999, mean, min or max`,
  };
}

function statOf(text: string): LatencyStat | undefined {
  if (text === "mean" || text === "min" || text === "max") return text;
  // p999 is p99.9; p100 is nothing.
  const digits = /^p(\d{1,2})(?:\.(\d+))?$/.exec(text) ?? /^p(99)(9+)$/.exec(text);
  if (digits === null) return undefined;
  const percentile = Number(`${digits[1]}.${digits[2] ?? 0}`);
  return percentile > 0 && percentile < 100 ? percentile : undefined;
}

const US_PER_UNIT: Readonly<Record<string, number>> = { us: 1, ms: 1e3, s: 1e6, m: 6e7, h: 3.6e9 };

function limitOf(text: string, metric: ThresholdMetric): number | { readonly problem: string } {
  const match = /^(\d+(?:\.\d+)?)\s*([a-z%]*)$/.exec(text);
  const number = Number(match?.[1]);
  const unit = match?.[2] ?? "";
  if (metric.kind === "latency") {
    const us = US_PER_UNIT[unit];
    if (match === null || us === undefined) return { problem: `"${text}" is no duration: write 500ms or 2s` };
    return decimal(number * us);
  }
  if (match === null || (unit !== "" && unit !== "%")) return { problem: `"${text}" is no number` };
  return unit === "%" ? decimal(number / 100) : number;
}

/** As it was written: 99.9 / 100 is a little more than 0.999, and a rate of exactly that would fail. */
function decimal(value: number): number {
  return Number(value.toPrecision(15));
}
