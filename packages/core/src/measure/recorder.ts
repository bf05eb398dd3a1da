import type { Shard } from "../load/keys.js";
import type { ResolvedStage } from "../load/stages.js";
import type { TestPlan } from "../plan/schema.js";
import type { TakenShard } from "../run/shard-map.js";
import type { DropReason, FinishReason, Outcome, TokenSource } from "./outcome.js";
import type { Final, Ledger, Phase, Snapshot } from "./snapshot.js";
import type { Vitals } from "./vitals.js";

/** How a request ended, as the stream's reader saw it. */
export interface RequestEnd {
  readonly outcome: Extract<Outcome, { kind: "completed" | "failed" | "cancelled" }>;
  /** Usage as the server reported it. */
  readonly usage: {
    readonly prompt: number;
    readonly cachedPrompt: number;
    readonly output: number;
    /** Tokens of images, among those of the prompt; only of servers that tell them. */
    readonly image?: number;
  } | null;
  readonly tokenSource: TokenSource;
  /** What was generated, reasoning aside; only of requests that asked to keep it. */
  readonly text?: string;
  /** As the answer told it; null where it told none. */
  readonly finish: FinishReason | null;
}

/** One request on its way through the recorder. Callers read it; only the recorder changes it. */
export interface RequestSample {
  readonly stage: number;
  /** Phase in which it was due. */
  readonly phase: Phase;
  readonly dueUs: number;
  readonly sentUs: number | null;
  readonly firstTokenUs: number | null;
  /** Tokens received so far. */
  readonly tokens: number;
  readonly ended: boolean;
}

export interface RecorderOptions {
  readonly run: string;
  readonly agent: string;
  readonly epoch: number;
  readonly stages: readonly ResolvedStage[];
  /** Which users are this shard's, so that one who completed nothing counts 0. Without it, only users that offered count. */
  readonly shard?: Shard;
  /** As committed at the start; later ones come by `commitStageStarts`. */
  readonly stageStartsUs: readonly (number | null)[];
  readonly intervalUs: number;
  readonly gracePeriodUs: number;
  readonly slos: TestPlan["slos"];
  /** URLs of the plan; 1 without it. Of several, the first ones are kept apart. */
  readonly urls?: number;
  /** Keeps the members of the workload apart, and its images; without it, neither. */
  readonly keepsWork?: boolean;
  /** Read at each cut, with its run time; the recorder fills in schedule lag and coalesced share itself. */
  readonly vitals: (toUs: number) => Omit<Vitals, "scheduleLagP99Us" | "coalescedShare">;
  /** Called at each cut, in order, with no gap in seq. Must not throw. */
  readonly onSnapshot: (snapshot: Snapshot) => void;
}

/**
 * Keeps one shard's books in run time (integer us): counts, in-flight integral, histograms by (stage, phase), and
 * cuts them at exact multiples of the interval by the stamps it is handed, not by when a timer ran. Stamps must not
 * go back; one that does is taken for the latest seen.
 */
export interface Recorder {
  /** The request became due. Its (stage, phase) follows from `dueUs`. It waits until begin, drop or end. */
  offer(request: {
    readonly stage: number;
    readonly dueUs: number;
    /** Closed load: the user, for the count of completed requests by user. */
    readonly user: number | null;
    /** Null where nobody says. */
    readonly askedPromptTokens: number | null;
    readonly askedOutputTokens: number;
    /** Index of the URL that it goes to; 0 without it. */
    readonly url?: number;
    /** Index of the workload's member, and images in it; 0 without them. */
    readonly member?: number;
    readonly images?: number;
  }): RequestSample;
  /** Given up before it was begun. */
  drop(sample: RequestSample, tUs: number, reason: DropReason): void;
  /** The agent hands it to the client: schedule lag is tUs - dueUs. */
  begin(sample: RequestSample, tUs: number): void;
  /** A socket was opened for it; `connectUs` is what that took. */
  connected(sample: RequestSample, connectUs: number): void;
  sent(sample: RequestSample, tUs: number): void;
  headers(sample: RequestSample, tUs: number): void;
  /**
   * An event arrived, stamped with its read. `tokens` 0 for role, usage and empty events; `content`: it carried
   * content or text; `sameRead`: an earlier token event of this stream came in the same read.
   */
  event(sample: RequestSample, tUs: number, tokens: number, content: boolean, sameRead: boolean): void;
  /** The reused socket died before any response byte; a second attempt follows. It is no second `sent`. */
  staleRetry(sample: RequestSample): void;
  end(sample: RequestSample, tUs: number, end: RequestEnd): void;
  /** Users of this shard are this agent's too, from a stage on. */
  takeOver(shard: TakenShard): void;
  /** Further stages have their start. Cuts up to tUs first. */
  commitStageStarts(stageStartsUs: readonly (number | null)[], tUs: number): void;
  /** A stage bounded by requests has ended for this shard; phase `between` follows. */
  stageDone(stage: number, tUs: number): void;
  /** The run ends early: what follows tUs is drain. */
  stop(tUs: number): void;
  /** Brings intervals, stage edges and closed counts up to tUs. Call it at least once an interval. */
  advance(tUs: number): void;
  /** Cuts the open interval, however short, and says what a complete result must hold. Everything has ended. */
  finish(
    tUs: number,
    facts: Pick<Final, "startErrorUs" | "evicted" | "reader" | "unled" | "builtLate">,
  ): Final;
  ledger(): Ledger;
  /** Number of the last snapshot cut. */
  lastSeq(): number;
}
