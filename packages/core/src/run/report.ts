import type { MetricName, TargetMetric, WorkMetric } from "../measure/snapshot.js";
import type { TargetFacts } from "../plan/schema-facts.js";
import type { SaturationEstimate } from "../statistics/saturation-estimate.js";

/** Latency percentiles that a report gives, us. `atLeast` names those that censored requests could move: read them as >=. */
export interface LatencySummary {
  readonly count: number;
  readonly mean: number | null;
  readonly min: number | null;
  readonly p50: number | null;
  readonly p90: number | null;
  readonly p95: number | null;
  readonly p99: number | null;
  readonly p999: number | null;
  readonly max: number | null;
  readonly atLeast: readonly string[];
}

export const REPORT_LATENCIES = [
  "ttft",
  "itl",
  "tpot",
  "e2e",
  "response",
  "scheduleLag",
] as const satisfies readonly MetricName[];
export type ReportLatency = (typeof REPORT_LATENCIES)[number];

export const MORE_LATENCIES = [
  "firstEvent",
  "firstContent",
  "headers",
  "connect",
  "gap",
] as const satisfies readonly MetricName[];
export type MoreLatency = (typeof MORE_LATENCIES)[number];

export interface RequestCounts {
  readonly offered: number;
  readonly sent: number;
  readonly completed: number;
  readonly failed: number;
  readonly cancelled: number;
  readonly dropped: number;
  readonly unknown: number;
  readonly censored: number;
  readonly staleRetries: number;
}

export interface TokenCounts {
  readonly prompt: number;
  readonly cachedPrompt: number;
  readonly output: number;
  /** The source of most completed requests' counts. */
  readonly source: "usage" | "continuous" | "events" | "none";
  readonly sources: Readonly<Record<string, number>>;
  readonly askedPromptMean: number | null;
  readonly askedOutputMean: number | null;
  readonly promptMean: number | null;
  readonly outputMean: number | null;
}

export type VerdictStatus = "valid" | "degraded" | "invalid";
export type ThresholdResult = "passed" | "failed" | "inconclusive";

/** Bounds of a Kolmogorov-Smirnov distance, as shares of the planned arrivals. */
export interface ArrivalDistance {
  readonly atLeast: number;
  readonly atMost: number;
}

/** What a level was to be offered, beside what it was offered. */
export interface StimulusReport {
  /** Null for closed load. */
  readonly open: {
    /** Arrivals that the plan has in the window, walked anew; null beyond 2,000,000 in a run. */
    readonly planned: number | null;
    /** Of those that were due, how many the agents say they saw. */
    readonly offered: number;
    /** Handed to the client, however late. */
    readonly handedOver: number;
    /** Between planned arrival times and those at which requests were handed to the client. */
    readonly arrivalDistance: ArrivalDistance | null;
  } | null;
  /** Null for open load. */
  readonly closed: {
    readonly usersAsked: number;
    /** Users that sent no request in the level; null where an agent did not say. */
    readonly neverStarted: number | null;
    /** Users that the level added whose first request left only in its window. */
    readonly startedLate: number | null;
    /** How much of the window these missed together, us: users x us. */
    readonly startedLateUs: number | null;
  } | null;
  /** Why the level was not filled, a phrase each; empty for one that was. */
  readonly notFilled: readonly string[];
}

/** How far the stamps of a level may be off, at p99. */
export interface StampUncertainty {
  readonly p99Us: number;
  /** What it was taken from: the self-probe x 1.6, or where an agent had none the event-loop delay. */
  readonly source: "self-probe" | "event-loop delay";
  /** The agent with the largest, where that is more than twice as much. */
  readonly worst: { readonly agent: string; readonly us: number } | null;
}

export interface StageReport {
  readonly name: string;
  readonly users?: number;
  readonly rps?: number;
  readonly steady: boolean;
  readonly tooShort: boolean;
  /** What a reader must know of this level, one sentence each. */
  readonly notes: readonly string[];
  readonly windowStartEpochUs: number;
  /** Run time at which the window begins, us. */
  readonly windowStartUs: number;
  readonly windowMs: number;
  readonly inFlight: {
    readonly asked: number | null;
    readonly mean: number;
    readonly minAtLeast: number;
    readonly maxAtMost: number;
  };
  readonly server: {
    readonly runningMean: number | null;
    readonly waitingMean: number | null;
    readonly kvUsageMax: number | null;
    readonly preemptions: number | null;
    readonly prefixHitTokens: number | null;
    /** By its own clock, of what it handed out in the window: not the same requests as those due in it. */
    readonly ttftMeanUs?: number | null;
    readonly itlMeanUs?: number | null;
    readonly e2eMeanUs?: number | null;
  };
  readonly requests: RequestCounts;
  readonly success: { readonly rate: number | null; readonly lower95: number | null };
  /** Requests due in the window that met every SLO, of all that were due, and per second; null without SLOs. */
  readonly goodput?: { readonly share: number | null; readonly requestsPerS: number } | null;
  readonly failures: Readonly<Record<string, number>>;
  readonly drops: Readonly<Record<string, number>>;
  readonly tokens: TokenCounts;
  readonly rates: {
    readonly requestsPerS: number;
    readonly outputTokensPerS: number;
    readonly promptTokensPerS: number;
    readonly outputTokensPerSPerGpu: number | null;
    /** Output tokens per second per request in flight (mean). */
    readonly outputTokensPerSPerUser: number | null;
    /** Token events per second that arrived in the window. */
    readonly eventsPerS: number;
  };
  readonly latencyUs: Readonly<Record<ReportLatency, LatencySummary>>;
  /** Further latencies of the same requests; absent in reports that are older, as all that follows to `outliers`. */
  readonly moreLatencyUs?: Readonly<Record<MoreLatency, LatencySummary>> | undefined;
  /** Of failed requests alone, from sent (those that were sent) and from due. */
  readonly failureLatencyUs?: Readonly<Record<"fromSent" | "fromDue", LatencySummary>> | undefined;
  /** Token events for each arrival, tokens for each event: what one event stands for. Null without any. */
  readonly tokensPerEvent?: number | null | undefined;
  readonly eventsPerArrival?: number | null | undefined;
  /** Of completed and failed requests whose answer told one; null where agents did not say. */
  readonly finishReasons?: Readonly<Record<string, number>> | null | undefined;
  readonly outputLength?: LengthSummary | undefined;
  /** Empty for a single one. */
  readonly byAgent?: readonly MemberReport[] | undefined;
  readonly byTarget?: readonly MemberReport[] | undefined;
  /** Members that are in the merged figures alone, being too many to be kept apart. */
  readonly notApart?: { readonly agents: number; readonly targets: number } | undefined;
  readonly outliers?: readonly Outlier[] | undefined;
  /** By member of the workload, where it is a mixture or has images; absent for text alone. */
  readonly work?: readonly WorkReport[] | undefined;
  /** Null where no interval was measured; absent in reports that are older. */
  readonly stampUncertainty?: StampUncertainty | null;
  /** Requests that each user completed in the window, at least; null for open load. */
  readonly completedPerUserMin: number | null;
  /** Absent in reports that are older. */
  readonly stimulus?: StimulusReport;
}

/** Percentiles of a member of a level; null without samples. */
export interface MemberLatency {
  readonly count: number;
  readonly p50: number | null;
  readonly p99: number | null;
}

/** One agent's, or one target's, part of a level, beside the merged row. */
export interface MemberReport {
  /** The agent's id, or the target's URL. */
  readonly id: string;
  readonly offered: number;
  readonly completed: number;
  readonly failed: number;
  readonly censored: number;
  readonly outputTokensPerS: number;
  readonly latencyUs: Readonly<Record<TargetMetric, MemberLatency>>;
}

/** What one member of the workload asked for in a level, beside what came of it. Means are of completed requests. */
export interface WorkReport {
  readonly name: string;
  /** Of all requests, by the plan's weights. */
  readonly share: number;
  readonly offered: number;
  readonly completed: number;
  readonly failed: number;
  /** Of the text; images come on top. Null where the plan does not say, as of a file's own text. */
  readonly askedPromptMean: number | null;
  /** As the server counted it, images included. */
  readonly promptMean: number | null;
  readonly cachedPromptMean: number | null;
  readonly askedOutputMean: number | null;
  readonly outputMean: number | null;
  readonly imagesMean: number | null;
  /** Tokens of an image, where the server tells them apart. */
  readonly imageTokensEach: number | null;
  /**
   * Of a mixture: TTFT of requests that got a first token and E2E of those that completed, us. What was cut unfinished is in neither,
   * and may have been slower. Absent of a workload of one member, whose latencies are the level's, and in reports that are older.
   */
  readonly latencyUs?: Readonly<Record<WorkMetric, MemberLatency>> | undefined;
}

/** A member whose figure differs from the others' by more than chance and their own spread. */
export interface Outlier {
  readonly of: "agent" | "target";
  readonly id: string;
  /** `ttft.p50`, ... `e2e.p99` in us, or `failures.share`. */
  readonly figure: string;
  readonly value: number;
  /** Median of the others' figures. */
  readonly others: number;
}

/** Lengths of completed requests' answers, tokens. */
export interface LengthSummary {
  readonly count: number;
  /** Of what was asked for. */
  readonly askedMean: number | null;
  readonly mean: number | null;
  readonly min: number | null;
  readonly p50: number | null;
  readonly p90: number | null;
  readonly max: number | null;
  /** From length `from` to the next one's `from` - 1: never more than 16. */
  readonly histogram: readonly { readonly from: number; readonly count: number }[];
}

/** A count of the target's beside the client's. */
export interface ServerCheck {
  readonly of: "output" | "prompt" | "successes";
  readonly server: number;
  readonly client: number;
  /** By how much the target's may be greater; null where the client's count is none that could be held against it. */
  readonly tolerance: number | null;
  /** What the tolerance is for, in words. */
  readonly because: string;
  /** Null where it cannot be told: no tolerance, or a target that was not at rest. */
  readonly agrees: boolean | null;
}

/** A mean of the target's over the run beside the client's; the difference is the way there and back, and both ends. */
export interface ServerLatencyCheck {
  readonly of: "ttft" | "e2e";
  readonly serverMeanUs: number;
  readonly serverCount: number;
  readonly clientMeanUs: number;
  readonly clientCount: number;
  /** Client less server. */
  readonly differenceUs: number;
}

export interface ProofFigure {
  readonly name:
    | "outputTokensPerS"
    | "requestsPerS"
    | "ttftP50Us"
    | "ttftP99Us"
    | "tpotP50Us"
    | "e2eP50Us"
    | "e2eP99Us";
  readonly single: number | null;
  readonly doubled: number | null;
  /** Of doubled less single, at 95 %; null where too little was measured. */
  readonly difference: { readonly low: number; readonly high: number } | null;
  /** The interval holds 0, or lies within 2 % of `single`. */
  readonly isSame: boolean | null;
}

/** The last level once more with twice the agent processes (`run --prove`). */
export interface ProofReport {
  readonly level: string;
  /** Id of the run with twice the agents; empty where there was none. */
  readonly run: string;
  readonly agents: number;
  readonly agentsDoubled: number;
  readonly figures: readonly ProofFigure[];
  /** True: no figure differs. Null: nobody can say; the sentence tells why. */
  readonly holds: boolean | null;
  readonly sentence: string;
}

/** Times without a leader: agents went on, no threshold could abort the run, and nobody could have given up an agent. */
export interface LeadingReport {
  /** By term; `fromMs`: run time, null before the start. */
  readonly leaders: readonly {
    readonly leader: string;
    readonly term: number;
    readonly fromMs: number | null;
  }[];
  /** Run times in which no agent heard any leader. */
  readonly unled: readonly { readonly fromMs: number; readonly toMs: number }[];
}

/** A comparison of an agent's clock with the leader's. */
export interface ClockPoint {
  /** Run time; negative before the start. */
  readonly atMs: number;
  /** What must be added to the leader's clock to get the agent's, and how far that may be wrong. */
  readonly offsetUs: number;
  readonly errorUs: number;
}

/** An agent's clock in the course of the run. */
export interface AgentClock {
  /** By each leader that compared it: another leader's clock is another reference. */
  readonly terms: readonly {
    readonly term: number;
    readonly comparisons: number;
    readonly first: ClockPoint;
    readonly last: ClockPoint;
    /** By how much it ran faster, ppm; null where the time between is too short for the errors, or it jumped. */
    readonly drift: { readonly ppm: number; readonly errorPpm: number } | null;
    /** Further apart than clocks drift, between one comparison and the next: the first ten. */
    readonly jumps: readonly { readonly fromMs: number; readonly toMs: number; readonly byUs: number }[];
  }[];
  /**
   * How far its run time was ahead of the other agents' median when they were compared last, at the end as a rule. Null for one
   * agent alone, and where it did not answer then.
   */
  readonly skew: { readonly atMs: number; readonly us: number; readonly errorUs: number } | null;
}

export interface ClocksReport {
  /** Beyond this a skew is worth a sentence: 1 % of an interval. */
  readonly skewLimitUs: number;
  /** Clocks that jumped, skews beyond the limit, agents that did not answer; empty where nothing was amiss. */
  readonly sentences: readonly string[];
}

/** An agent without which the run went on for a time, or to its end. */
export interface LossReport {
  readonly agent: string;
  /** Run times; `foundAtMs` null where it did not come back. */
  readonly lastHeardMs: number;
  readonly lostAtMs: number;
  readonly foundAtMs: number | null;
  readonly reason: string;
  /** So many losses in a row told as one, from the first silence to the last return; absent where it is one. */
  readonly times?: number | undefined;
  /** Stage from which on others had its shard, and who; null where nobody took it over. */
  readonly takenOver: { readonly fromStage: string; readonly by: readonly string[] } | null;
}

/** The report, schema version 1. Fields may be added, never renamed. */
export interface RunReport {
  readonly schemaVersion: 1;
  readonly run: {
    readonly id: string;
    readonly name: string;
    readonly startedAt: string | null;
    readonly durationMs: number;
    readonly seed: number;
    readonly salt: string;
    readonly transport: "nats" | "memory";
    readonly version: string;
    readonly planDigest: string;
    readonly state: "completed" | "failed" | "aborted";
    readonly model: string | null;
    readonly reader: string;
    /** What the plan states of the deployment; absent where it states nothing. */
    readonly facts?: TargetFacts;
    /** With the threshold, as the plan has it, where that ended the run. */
    readonly problem: {
      readonly code: string;
      readonly message: string;
      readonly threshold?: string | undefined;
    } | null;
  };
  readonly totals: {
    readonly requests: RequestCounts;
    readonly tokens: TokenCounts;
    readonly server: {
      readonly prompt: number | null;
      readonly output: number | null;
      readonly successes: number | null;
      readonly prefixHitTokens: number | null;
      /** True when both scrapes were quiescent, so that the differences are the run's and nothing else's. */
      readonly exact: boolean;
      readonly checks?: readonly ServerCheck[];
      readonly latencies?: readonly ServerLatencyCheck[];
    };
  };
  readonly verdict: {
    readonly status: VerdictStatus;
    readonly thresholds: "passed" | "failed" | "inconclusive" | "none";
    readonly reasons: readonly string[];
    readonly limitedBy: "client" | "queue" | "kv" | "compute" | "nobody" | null;
    /** Who was the limit, with the evidence; also where nobody can say. */
    readonly limitSentence?: string;
  };
  readonly completeness: {
    readonly intervalsExpected: number;
    readonly intervalsReceived: number;
    readonly samplesRecorded: number;
    readonly samplesMerged: number;
    /** What is missing: agent and interval numbers. */
    readonly missing: readonly { readonly agent: string; readonly from: number; readonly to: number }[];
  };
  readonly agents: readonly {
    readonly id: string;
    readonly host: string;
    readonly shard: number;
    readonly version: string;
    readonly clockOffsetUs: number;
    readonly clockErrorUs: number;
    readonly startErrorUs: number | null;
    readonly intervals: number;
    readonly redIntervals: number;
    readonly yellowIntervals: number;
    /** Requests whose body was not built when they were due; null where the agent did not say, absent in older reports. */
    readonly builtLate?: number | null | undefined;
    /** Measured intervals, of which the red share is taken. */
    readonly measuredIntervals: number;
    /** Null where it was never compared in the course of the run; absent in reports that are older. */
    readonly clock?: AgentClock | null | undefined;
  }[];
  /** How agents' clocks went; absent where none was compared in the course of the run, and in reports that are older. */
  readonly clocks?: ClocksReport | undefined;
  /** How exactly the agents began together; null where none has said, absent in reports that are older. */
  readonly start?: {
    /** Agents that said when they began. */
    readonly agents: number;
    /** Largest distance from the planned time zero, by each agent's own clock. */
    readonly errorMaxUs: number;
    /** Latest less earliest beginning, as if clocks agreed. */
    readonly skewUs: number;
    /** The same with the error of each clock added at its worst. */
    readonly skewAtMostUs: number;
  } | null;
  readonly stages: readonly StageReport[];
  readonly thresholds: readonly {
    readonly metric: string;
    readonly expression: string;
    readonly observed: number | null;
    readonly result: ThresholdResult;
  }[];
  /** Who led, and when nobody did; absent where one leader led throughout, and in reports that are older. */
  readonly leading?: LeadingReport;
  /** Absent where no agent was lost on the way, and in reports that are older. */
  readonly losses?: readonly LossReport[];
  /** Of the output throughput over the measured in-flight of its levels; absent where there are fewer than two. */
  readonly saturation?: SaturationEstimate;
  /** Only of a run that was asked to prove that its client was not the limit. */
  readonly proof?: ProofReport;
}
