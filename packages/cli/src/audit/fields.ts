/** What a column can be. Percentiles are fields of their own: `p50`, `p99.9`. */
export const FIELDS = [
  "label",
  "concurrency",
  "requests",
  "completed",
  "failed",
  "success",
  "duration",
  "req_s",
  "output_tok_s",
  "total_tok_s",
  "output_tokens",
  "total_tokens",
  "peak",
  "group",
  "mean",
  "min",
  "max",
] as const;
export type PlainField = (typeof FIELDS)[number];
export type Field = PlainField | `p${number}`;

/** How a cell's number becomes the field's own unit (seconds, per second, a share, a count). */
export const UNIT_FACTORS = { us: 1e-6, ms: 1e-3, s: 1, min: 60, "%": 0.01, share: 1 } as const;
export type Unit = keyof typeof UNIT_FACTORS;

const TIME_UNITS: readonly Unit[] = ["us", "ms", "s", "min"];

/** The units that a field may have; none where its unit is the field's own. */
export function unitsOf(field: Field): readonly Unit[] {
  if (field === "success") return ["%", "share"];
  const isTime = field === "duration" || field === "mean" || field === "min" || field === "max";
  return isTime || isPercentile(field) ? TIME_UNITS : [];
}

export function isPercentile(field: string): field is `p${number}` {
  const match = /^p(\d{1,2}(?:\.\d+)?)$/.exec(field);
  return match !== null && Number(match[1]) > 0;
}

/** A field by the word that people type: `latency` is the mean, `median` is p50. */
export function fieldNamed(word: string): Field | undefined {
  const text = word.trim().toLowerCase();
  if (text === "latency") return "mean";
  if (text === "median") return "p50";
  if (isPercentile(text)) return `p${Number(text.slice(1))}`;
  return FIELDS.find((field) => field === text);
}

/** What the name of a column says. */
export type Recognised =
  | { readonly kind: "field"; readonly field: Field; readonly unit?: Unit }
  /** It could be several things, or has no unit: whoever knows the table must say. */
  | { readonly kind: "ambiguous"; readonly because: string; readonly fields: readonly string[] }
  | { readonly kind: "unknown" };

const PLAIN_NAMES: readonly (readonly [RegExp, PlainField])[] = [
  [/^(label|name|model|test|case|scenario|level_name|row)$/, "label"],
  [
    /^((nominal|claimed|asked|max|request)_)?(concurrency|concurrent_users|num_users|users|vus)$|^concurrent_requests$|^c$/,
    "concurrency",
  ],
  [/^(n|requests|num_requests|total_requests|request_count|num_prompts|prompts|requests_total)$/, "requests"],
  [/^(completed|succeeded|successes|successful|completed_requests|successful_requests)$/, "completed"],
  [/^(failed|failures|errors|failed_requests|error_count)$/, "failed"],
  [
    /^(requests?|req|reqs)(_throughput)?_per_s$|^(requests?|req)_throughput(_(requests|req|reqs)_per_s)?$|^(rps|qps|req_s)$|^throughput_(requests|req|reqs)_per_s$|^throughput_(rps|qps)$/,
    "req_s",
  ],
  [
    /^(output|gen|generated|generation|decode)_((tokens?|tok)_)?throughput(_(tokens|tok)_per_s)?$|^(output|gen|generated|decode)_(tokens|tok)(_per)?_s$|^output_tps$/,
    "output_tok_s",
  ],
  [
    /^total_((tokens?|tok)_)?throughput(_(tokens|tok)_per_s)?$|^total_(tokens|tok)(_per)?_s$|^total_tps$/,
    "total_tok_s",
  ],
  [/^(mean_)?(output|generated)_tokens_per_request$|^mean_output_tokens$/, "output_tokens"],
  [/^(mean_)?total_tokens_per_request$|^mean_total_tokens$/, "total_tokens"],
  [
    /^(peak_concurrency|peak_concurrent_requests|max_concurrent_requests|peak_in_flight|max_in_flight)$/,
    "peak",
  ],
  [/^(group|suite|series)$/, "group"],
];

const UNIT_WORDS: Readonly<Record<string, Unit>> = {
  us: "us",
  µs: "us",
  μs: "us",
  usec: "us",
  ms: "ms",
  msec: "ms",
  milliseconds: "ms",
  s: "s",
  sec: "s",
  secs: "s",
  seconds: "s",
  min: "min",
  minutes: "min",
  pct: "%",
  percent: "%",
  "%": "%",
};

const END_TO_END =
  /^(e2e|e2el|e2e_latency|end_to_end|end_to_end_latency|request_latency|latency|response_time)$/;
const STATISTIC = /^(mean|avg|average|median|min|max|p\d{1,2}(?:\.\d+)?)$/;
/** Latencies that are none from end to end: nothing is asked about them. */
const OTHER_TIMES = /(^|_)(ttft|tpot|itl|ttfo|ttfb|first_token|inter_token|queue|std|stdev)(_|$)/;

/** Reads a column's name. What it does not say for certain is ambiguous, never guessed. */
export function recogniseColumn(header: string): Recognised {
  const name = canonical(header);
  const plain = PLAIN_NAMES.find(([pattern]) => pattern.test(name))?.[1];
  if (plain !== undefined) return { kind: "field", field: plain };
  if (OTHER_TIMES.test(name)) return { kind: "unknown" };
  const words = name.split("_");
  const unit = UNIT_WORDS[words.at(-1) ?? ""];
  const bare = (unit === undefined ? words : words.slice(0, -1)).join("_");
  if (/^success(_rate|_share)?$/.test(bare)) return withUnit("success", unit);
  if (/^((benchmark|run)_)?duration$|^(wall|run)_time$|^elapsed(_time)?$/.test(bare)) {
    return withUnit("duration", unit);
  }
  if (/^((tokens?|tok)_)?throughput$|^(tokens|tok)(_per)?$|^tps$|^throughput_(tokens|tok)_per$/.test(bare)) {
    const because = "requests, output tokens or all tokens per second?";
    return { kind: "ambiguous", because, fields: ["req_s", "output_tok_s", "total_tok_s"] };
  }
  return recogniseLatency(bare, unit);
}

function recogniseLatency(bare: string, unit: Unit | undefined): Recognised {
  const words = bare.split("_");
  const statistic = [words[0], words.at(-1)].find((word) => word !== undefined && STATISTIC.test(word));
  const rest = words.filter((word) => word !== statistic).join("_");
  if (statistic !== undefined && END_TO_END.test(rest)) return withUnit(statisticField(statistic), unit);
  if (END_TO_END.test(bare)) {
    return { kind: "ambiguous", because: "the mean or which percentile?", fields: ["mean", "p50", "p99"] };
  }
  if (statistic !== undefined && rest === "" && /^p|^median$/.test(statistic)) {
    const field = statisticField(statistic);
    return { kind: "ambiguous", because: "of the end-to-end latency?", fields: [field] };
  }
  return { kind: "unknown" };
}

function statisticField(statistic: string): Field {
  if (statistic === "avg" || statistic === "average") return "mean";
  return fieldNamed(statistic) ?? "mean";
}

function withUnit(field: Field, unit: Unit | undefined): Recognised {
  if (unit !== undefined && unitsOf(field).includes(unit)) return { kind: "field", field, unit };
  // A share is told by its % sign in the cells.
  if (field === "success" && unit === undefined) return { kind: "field", field };
  return { kind: "ambiguous", because: `in ${unitsOf(field).join(", ")}?`, fields: [field] };
}

/** `Mean E2E (ms)` and `mean-e2e_ms` are `mean_e2e_ms`; `req/s` is `req_per_s`. */
function canonical(header: string): string {
  return header
    .trim()
    .replace(/([a-z])([A-Z])/g, "$1_$2")
    .toLowerCase()
    .replace(/\s*\/\s*(sec|second|s)\b/g, "_per_s")
    .replace(/\bper[\s_]+(second|sec|s)\b/g, "per_s")
    .replace(/per_(second|sec)\b/g, "per_s")
    .replace(/%/g, "_%_")
    .replace(/[^\p{L}\p{N}.%]+/gu, "_")
    .replace(/^_+|_+$/g, "");
}

/** The unit that a column's name ends in, for columns that were named by hand. */
export function unitInName(header: string): Unit | undefined {
  return UNIT_WORDS[canonical(header).split("_").at(-1) ?? ""];
}
