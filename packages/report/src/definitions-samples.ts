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
