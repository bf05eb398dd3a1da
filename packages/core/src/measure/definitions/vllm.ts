import { total } from "../counts.js";
import type { Histogram } from "../histogram.js";
import type { FailureReason } from "../outcome.js";
import { type DefinedValue, type FigureOf, unknown, value } from "./definitions.js";
import { ratePerS, type WholeLevel } from "./whole-level.js";

/** Ends of an answer that we call a failure, and that a client which looks at status and exceptions alone does not. */
const MAY_COUNT: readonly FailureReason[] = ["error-event", "empty", "no-finish", "wrong-length"];

const RANK = "percentiles are the value at the rank, to 3 digits; theirs are interpolated between two values";

const duration: FigureOf<WholeLevel> = {
  name: "duration",
  unit: "s",
  how: "the level's start to the interval in which its last request ended",
  differs: "known to one interval, hence two bounds, and so are all rates",
  of: ({ durationUs }) =>
    durationUs === null
      ? unknown("no request ended")
      : { kind: "between", atLeast: durationUs.atLeast / 1e6, atMost: durationUs.atMost / 1e6 },
};

const counts: readonly FigureOf<WholeLevel>[] = [
  {
    name: "completed",
    unit: "requests",
    how: "completed requests due in the level, ramp included",
    differs: "a success here also needs output, a finish reason, the asked length and no error event",
    of: ({ due }) => ({ kind: "value", value: due.completed }),
  },
  {
    name: "failed",
    unit: "requests",
    how: "failed requests due in the level",
    differs:
      "requests that were cut unfinished, cancelled, dropped or lost are in neither; theirs waits for all",
    of: ({ due }) => ({ kind: "value", value: total(due.failed) }),
  },
  {
    name: "may_count",
    unit: "requests",
    how: `failed with ${MAY_COUNT.join(", ")}`,
    differs: "not theirs: of our failed ones, those that it may have counted as completed",
    of: ({ due }) => ({
      kind: "value",
      value: MAY_COUNT.reduce((so, reason) => so + (due.failed[reason] ?? 0), 0),
    }),
  },
  {
    name: "total_input_tokens",
    unit: "tokens",
    how: "prompt tokens of completed requests by the server's usage",
    differs: "theirs is what the client's own tokenizer counted",
    of: ({ due }) => ({ kind: "value", value: due.promptTokens }),
  },
  {
    name: "total_output_tokens",
    unit: "tokens",
    how: "output tokens of completed requests by usage, else by events",
    differs: "without usage theirs are counted by the client's tokenizer",
    of: ({ due }) => ({ kind: "value", value: due.outputTokens }),
  },
];

const rates: readonly FigureOf<WholeLevel>[] = [
  {
    name: "request_throughput",
    unit: "requests/s",
    how: "completed / duration",
    differs: null,
    of: (level) => ratePerS(level.due.completed, level),
  },
  {
    name: "output_throughput",
    unit: "tokens/s",
    how: "total_output_tokens / duration",
    differs: "ramp and last answers included, which our own rates leave out",
    of: (level) => ratePerS(level.due.outputTokens, level),
  },
  {
    name: "total_token_throughput",
    unit: "tokens/s",
    how: "(total_input_tokens + total_output_tokens) / duration",
    differs: "prompt tokens from the prefix cache count as any other, as they do there",
    of: (level) => ratePerS(level.due.outputTokens + level.due.promptTokens, level),
  },
];

/** Good requests are counted as they end, by the plan's own limits. */
const goodput = (hasSlos: boolean): FigureOf<WholeLevel> => ({
  name: "request_goodput",
  unit: "requests/s",
  how: "completed requests that met every SLO of the plan / duration",
  differs: "TPOT and TTFT as we define them decided",
  of: (level) =>
    hasSlos ? ratePerS(level.due.good, level) : unknown("the plan has no limits for a single request"),
});

interface Latency {
  readonly name: string;
  readonly how: string;
  readonly differs: string;
  readonly histogramOf: (level: WholeLevel) => Histogram;
  readonly why: string;
}

const LATENCIES: readonly Latency[] = [
  {
    name: "ttft",
    how: "sent to the first event of whatever kind, the role chunk included",
    differs: `failed requests that had an event are in it; ${RANK}`,
    histogramOf: (level) => level.histogram("firstEvent"),
    why: "the agents did not keep the first event (an older version), or there was none",
  },
  {
    name: "tpot",
    how: "(last token - first token) / (tokens - 1), once per completed request of at least two tokens",
    differs: `theirs is from the first chunk to the last of any kind: the same where those come with tokens; ${RANK}`,
    histogramOf: (level) => level.histogram("tpot"),
    why: "no request of two tokens completed",
  },
  {
    name: "itl",
    how: "gaps between arrivals of tokens, and 0 for each event that shared a read with the one before: one sample per chunk",
    differs:
      "failed requests' gaps are in it, a chat's gap between role chunk and first token is not; shared reads are those of the level's time, not of its requests; " +
      RANK,
    histogramOf: (level) => {
      const gaps = level.histogram("gap");
      gaps.record(0, level.coalesced);
      return gaps;
    },
    why: "no second token arrived",
  },
  {
    name: "e2el",
    how: "sent to the read with the last byte, completed requests",
    differs: `theirs is to the last chunk; ${RANK}`,
    histogramOf: (level) => level.histogram("e2e"),
    why: "no request completed",
  },
];

const STATS: readonly (readonly [string, (histogram: Histogram) => number | null])[] = [
  ["mean", ({ sum, count }) => (count === 0 ? null : sum / count)],
  ["median", (histogram) => histogram.percentile(50)],
  ["p99", (histogram) => histogram.percentile(99)],
];

function latencyFigures({ name, how, differs, histogramOf, why }: Latency): FigureOf<WholeLevel>[] {
  return STATS.map(([stat, read]) => ({
    name: `${stat}_${name}_ms`,
    unit: "ms",
    how,
    differs,
    of: (level): DefinedValue => {
      const us = read(histogramOf(level));
      return value(us === null ? null : us / 1000, why);
    },
  }));
}

const asked: readonly FigureOf<WholeLevel>[] = [
  {
    name: "max_concurrency",
    unit: "users",
    how: "users asked for",
    differs: "theirs is a limit that a burst of requests runs into; here users send, wait and send again",
    of: ({ users }) => value(users, "an open load asks for a rate, not for users"),
  },
  {
    name: "request_rate",
    unit: "requests/s",
    how: "arrivals asked for",
    differs: null,
    of: ({ rps }) => value(rps, "users that wait for their answers ask for no rate"),
  },
];

/** Figures of `vllm bench serve`, as its `calculate_metrics` defines them. */
export function vllmFigures(hasSlos: boolean): FigureOf<WholeLevel>[] {
  return [...asked, duration, ...counts, ...rates, goodput(hasSlos), ...LATENCIES.flatMap(latencyFigures)];
}

export const VLLM_BASIS: readonly string[] = [
  "Each level stands for one benchmark: all requests due in it, ramp included, followed to their end. The warm-up is in none of them, as theirs is not.",
  "Between two levels of a ladder users go on without a pause, so a level has no burst at its start as a benchmark of its own would.",
];

export const VLLM_NOT: readonly { readonly name: string; readonly why: string }[] = [
  { name: "std_*", why: "sums of squares are not kept" },
  {
    name: "max_output_tokens_per_s, max_concurrent_requests",
    why: "they count successful requests in seconds from the first send; intervals hold all requests, from time zero",
  },
];
