/** One promise of the wire contract that can be looked at from outside. */
export interface ConformanceCheck {
  /** `group.name`. */
  readonly id: string;
  /** What a server that keeps it does. */
  readonly expects: string;
  /** Section of docs/conformance.md that has the whole of it. */
  readonly contract: ContractSection;
}

export type ContractSection =
  | "Endpoints"
  | "Streams"
  | "Answers in one piece"
  | "Token counts"
  | "Connections"
  | "Errors"
  | "Metrics";

type Entry = readonly [name: string, expects: string];

const STREAM: readonly Entry[] = [
  ["head", "status 200 and content type text/event-stream"],
  ["framing", "every event is one `data:` line and an empty line, to the last"],
  [
    "json",
    "every event before [DONE] is a JSON object with choices; id, created and model are the same in all",
  ],
  ["role", "the first event, and no other, has the role, without any output"],
  ["finish", "exactly one finish_reason, and no output after it"],
  ["usage", "asked for, usage comes once, in an event with empty choices, after the finish_reason"],
  ["usage-sum", "prompt_tokens + completion_tokens = total_tokens"],
  ["length", "with ignore_eos, exactly max_tokens are generated, and the finish_reason is length"],
  ["done", "`data: [DONE]` comes exactly once, as the last event"],
  ["end", "the body ends by its last chunk, and nothing follows"],
  ["request-id", "the id of every event is the X-Request-Id behind its prefix"],
];
const ANSWER: readonly Entry[] = [
  ["head", "status 200 and content type application/json"],
  ["json", "one choice with the generated text and a finish_reason, and usage"],
  ["usage-sum", "prompt_tokens + completion_tokens = total_tokens"],
  ["length", "with ignore_eos, exactly max_tokens are generated, and the finish_reason is length"],
  ["request-id", "the id is the X-Request-Id behind its prefix"],
];

/** All checks, in the order in which they are made and told. */
export const CONFORMANCE_CHECKS: readonly ConformanceCheck[] = [
  ...group("endpoints", "Endpoints", [
    ["health", "GET /health: status 200"],
    ["models", "GET /v1/models: JSON; data has entries with id, and max_model_len"],
    ["version", "GET /version: JSON with version"],
  ]),
  ...group("metrics", "Metrics", [
    ["page", "GET /metrics: status 200, text/plain, every sample can be read"],
    ["names", "it has vLLM's gauges, counters and histograms that are read here"],
  ]),
  ...group("chat-stream", "Streams", STREAM),
  ...group(
    "completions-stream",
    "Streams",
    STREAM.filter(([name]) => name !== "role"),
  ),
  ...group("chat-answer", "Answers in one piece", ANSWER),
  ...group("completions-answer", "Answers in one piece", ANSWER),
  ...group("tokens", "Token counts", [
    [
      "no-usage-unasked",
      "without stream_options no event has usage, unless the server was started to force it",
    ],
    [
      "continuous-usage",
      "with continuous_usage_stats every event has usage, whose completion_tokens never fall and end at the last",
    ],
    ["min-tokens", "with min_tokens at least so many are generated, and at most max_tokens"],
    ["stop", "an answer that ends by itself has finish_reason stop and at most max_tokens"],
    ["prompt-ids", "a prompt of n token ids has prompt_tokens n"],
    ["returned-ids", "with return_token_ids the ids of all events are as many as completion_tokens"],
    ["utf8", "no character is split over two events: every event is UTF-8 of whole characters"],
  ]),
  ...group("connections", "Connections", [
    ["keep-alive", "the connection of a finished stream carries another request"],
    ["headers-first", "status and headers of a stream come before its first token, not with it"],
    ["parallel", "streams that are asked for together are streamed together"],
    [
      "abort",
      "a client that hangs up frees its sequence: num_requests_running goes back, and no success is counted",
    ],
  ]),
  ...group("errors", "Errors", [
    ["bad-json", "a body that is no JSON: status 400, with the error body"],
    ["bad-field", "a field of the wrong type: status 400, with the error body"],
    ["unknown-model", "a model that is not served: status 404, type NotFoundError"],
    ["output-too-long", "max_tokens beyond the context: status 400, with the error body, and no clipping"],
    ["prompt-too-long", "a prompt beyond the context: status 400, with the error body"],
    ["no-key", "where a key is wanted, /v1 without it: status 401"],
  ]),
  ...group("metrics", "Metrics", [
    ["exact", "between two scrapes at rest, tokens and successes grow by exactly what was answered"],
    ["monotone", "no counter is lower at the end than at the beginning"],
  ]),
];

function group(name: string, contract: ContractSection, entries: readonly Entry[]): ConformanceCheck[] {
  return entries.map(([check, expects]) => ({ id: `${name}.${check}`, expects, contract }));
}

export type CheckOutcome = "passed" | "failed" | "skipped";

export interface CheckResult extends ConformanceCheck {
  readonly outcome: CheckOutcome;
  /** What was seen; of a skipped one, why it was not made. */
  readonly seen: string;
  /** File with the bytes of the exchange; null where none was written. */
  readonly evidence: string | null;
}

export interface ConformanceReport {
  readonly schemaVersion: 1;
  readonly url: string;
  readonly model: string;
  /** Of /version; null where it was not told. */
  readonly serverVersion: string | null;
  readonly checks: readonly CheckResult[];
  readonly counts: Readonly<Record<CheckOutcome, number>>;
}
