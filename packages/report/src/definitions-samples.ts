import type { DefinedFigure, DefinedValue, DefinitionsReport } from "@tokenstorm/core";

/** A run in others' definitions for the stored screens; every number is made up. */

const figures: readonly DefinedFigure[] = [
  { name: "duration", unit: "s", how: "start to last end", differs: "known to one interval" },
  { name: "completed", unit: "requests", how: "completed requests", differs: null },
  { name: "output_throughput", unit: "tokens/s", how: "output tokens / duration", differs: null },
  { name: "request_goodput", unit: "requests/s", how: "good requests / duration", differs: null },
  ...["mean", "median", "p99"].map((stat) => ({
    name: `${stat}_ttft_ms`,
    unit: "ms",
    how: "sent to the first event of whatever kind",
    differs: "percentiles are the value at the rank, to 3 digits",
  })),
  { name: "success", unit: "share", how: "completed / (completed + failed)", differs: null },
  { name: "status", unit: "", how: "by its rules", differs: null },
];

const between = (atLeast: number, atMost: number): DefinedValue => ({ kind: "between", atLeast, atMost });
const value = (of: number): DefinedValue => ({ kind: "value", value: of });
const noLimits: DefinedValue = { kind: "unknown", why: "the plan has no limits for a single request" };

export const definitionsSample: DefinitionsReport = {
  schemaVersion: 1,
  definitions: "vllm",
  run: "k3f9a2",
  basis: ["Each level stands for one benchmark, with a name that is \u001b[31mhostile."],
  figures,
  levels: [
    {
      name: "u1",
      values: {
        duration: between(63, 64),
        completed: value(19),
        output_throughput: between(38, 38.6),
        request_goodput: noLimits,
        mean_ttft_ms: value(48.25),
        median_ttft_ms: value(47.9),
        p99_ttft_ms: value(61.9),
        success: value(1),
        status: { kind: "word", word: "OK" },
      },
    },
    {
      name: "u1000",
      values: {
        duration: between(81.2, 82.2),
        completed: value(4401),
        output_throughput: between(6853, 6937),
        request_goodput: noLimits,
        mean_ttft_ms: value(9871.4),
        median_ttft_ms: value(9870),
        p99_ttft_ms: { kind: "unknown", why: "the agents did not keep the first event" },
        success: value(0.98712),
        status: { kind: "word", word: "SATURATED" },
      },
    },
  ],
  notRecomputed: [{ name: "std_*", why: "sums of squares are not kept" }],
};

const vllmValues: Readonly<Record<string, DefinedValue>> = {
  max_concurrency: value(100),
  request_rate: { kind: "unknown", why: "users that wait for their answers ask for no rate" },
  duration: between(63, 64),
  completed: value(1590),
  failed: value(2),
  total_input_tokens: value(814_080),
  total_output_tokens: value(203_520),
  request_throughput: between(24.84, 25.24),
  output_throughput: between(3180, 3230.476),
  total_token_throughput: between(15_900, 16_152.38),
  request_goodput: noLimits,
  ...Object.fromEntries(
    ["ttft", "tpot", "itl", "e2el"].flatMap((name, i) =>
      ["mean", "median", "p99"].map((stat, j) => [`${stat}_${name}_ms`, value(20 * (i + 1) + j)]),
    ),
  ),
};

/** All of its figures, of a closed level and of an open one that no first event is known of. */
export const vllmSample: DefinitionsReport = {
  ...definitionsSample,
  levels: [
    { name: "u100", values: vllmValues },
    {
      name: "r50",
      values: {
        ...vllmValues,
        max_concurrency: { kind: "unknown", why: "an open load asks for a rate, not for users" },
        request_rate: value(50),
        request_goodput: between(40.1, 40.2),
        duration: between(60.001, 60.004),
        ...Object.fromEntries(
          ["mean", "median", "p99"].map((stat) => [
            `${stat}_ttft_ms`,
            {
              kind: "unknown",
              why: "the agents did not keep the first event (an older version), or there was none",
            },
          ]),
        ),
      },
    },
  ],
  notRecomputed: [
    { name: "std_*", why: "sums of squares are not kept" },
    { name: "max_output_tokens_per_s, max_concurrent_requests", why: "intervals hold all requests" },
  ],
};
