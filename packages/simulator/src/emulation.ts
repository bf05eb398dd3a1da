export const EMULATED_VERSIONS = ["0.11", "0.14", "latest"] as const;
export type EmulatedVersion = (typeof EMULATED_VERSIONS)[number];

/** Where the wire of one version of vLLM differs from that of another; what is not here is the same in all three. */
export interface Emulation {
  /** What /version answers. */
  readonly version: string;
  /** Fields of a delta or message that carry thoughts, each with the whole text. */
  readonly reasoningFields: readonly ("reasoning" | "reasoning_content")[];
  /** Whether the event with the finish_reason has a system_fingerprint. */
  readonly fingerprintAtEnd: boolean;
  /** Whether usage details tell image tokens too. */
  readonly multimodalTokensInUsage: boolean;
  /** Whether usage that the server was told to send unasked is on each event, or on the last alone. */
  readonly forcedUsageOnAllEvents: boolean;
  /** Whether a request may choose its own `stream_interval`. */
  readonly streamIntervalField: boolean;
  /** What is said of a prompt that is too long, alone or with its answer. */
  readonly lengthError: "by part" | "by sum";
  /** Whether errors name the field they are about. */
  readonly errorParam: boolean;
  /** Whether their messages end with it. */
  readonly errorsTellParameter: boolean;
  /** From when TTFT and e2e in /metrics count: the read of the request, or the end of its tokenization. */
  readonly arrival: "received" | "tokenized";
  readonly metrics: {
    readonly sleepState: boolean;
    readonly waitingByReason: boolean;
    readonly promptTokensBySource: boolean;
    readonly prefillComputed: boolean;
    /** The older name of inter_token_latency_seconds, beside it. */
    readonly timePerOutputToken: boolean;
    readonly finishReasons: readonly string[];
  };
}

/** Facts: vllm wire notes, sections 2, 4, 6 and 9. `latest` is main of 2026-08-07; its version number is a label. */
export const emulations: Readonly<Record<EmulatedVersion, Emulation>> = {
  "0.11": {
    version: "0.11.2",
    reasoningFields: ["reasoning_content"],
    fingerprintAtEnd: false,
    multimodalTokensInUsage: false,
    forcedUsageOnAllEvents: false,
    streamIntervalField: false,
    lengthError: "by part",
    errorParam: false,
    errorsTellParameter: false,
    arrival: "tokenized",
    metrics: {
      sleepState: false,
      waitingByReason: false,
      promptTokensBySource: false,
      prefillComputed: false,
      timePerOutputToken: true,
      finishReasons: ["stop", "length", "abort"],
    },
  },
  "0.14": {
    version: "0.14.1",
    reasoningFields: ["reasoning", "reasoning_content"],
    fingerprintAtEnd: false,
    multimodalTokensInUsage: false,
    forcedUsageOnAllEvents: false,
    streamIntervalField: false,
    lengthError: "by part",
    errorParam: true,
    errorsTellParameter: false,
    arrival: "tokenized",
    metrics: {
      sleepState: true,
      waitingByReason: false,
      promptTokensBySource: false,
      prefillComputed: true,
      timePerOutputToken: false,
      finishReasons: ["stop", "length", "abort", "error"],
    },
  },
  latest: {
    version: "0.26.0",
    reasoningFields: ["reasoning"],
    fingerprintAtEnd: true,
    multimodalTokensInUsage: true,
    forcedUsageOnAllEvents: true,
    streamIntervalField: true,
    lengthError: "by sum",
    errorParam: true,
    errorsTellParameter: true,
    arrival: "received",
    metrics: {
      sleepState: true,
      waitingByReason: true,
      promptTokensBySource: true,
      prefillComputed: true,
      timePerOutputToken: false,
      finishReasons: ["stop", "length", "abort", "error", "repetition"],
    },
  },
};
