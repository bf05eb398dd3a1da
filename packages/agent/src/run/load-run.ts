import {
  assert,
  type Cancel,
  type Clock,
  createRecorder,
  type Final,
  hasMembersOrImages,
  type Ledger,
  type Recorder,
  type RunRecord,
  type Snapshot,
  type TakenShard,
  type Vitals,
} from "@tokenstorm/core";
import { RequestsAhead } from "../load/requests-ahead.js";
import { ShardLoad } from "../load/shard-load.js";
import { stageAt } from "../load/stage-times.js";
import type { Logger } from "../logger.js";
import type { Target } from "../target/target.js";
import type { VitalsSource } from "../vitals.js";
import type { Preparation } from "./preparation.js";

/** Cancelled requests have so long to say that they have ended. */
const CANCEL_WAIT_US = 2_000_000;

export interface LoadRunOptions {
  readonly record: Pick<RunRecord, "id" | "stageStartsUs">;
  readonly agent: string;
  readonly epoch: number;
  readonly preparation: Pick<Preparation, "plan" | "stages" | "shard" | "requests" | "trace"> & {
    readonly ready: Pick<Preparation["ready"], "reader">;
  };
  readonly target: Target;
  /** Time zero on the agent's clock, us. */
  readonly atUs: number;
  readonly aheadBytes: number;
  readonly clock: Clock;
  readonly vitals: VitalsSource;
  readonly logger: Logger;
  /** Intervals given up so far; goes into the final. */
  readonly evicted: () => number;
  /** False: nothing more is sent. */
  readonly mayOffer?: () => boolean;
  /** Times in which no leader was heard, us of the agent's clock; go into the final too. */
  readonly unled: () => readonly { readonly fromUs: number; readonly toUs: number }[];
  readonly onSnapshot: (snapshot: Snapshot) => void;
  readonly onStarted: () => void;
  readonly onStageDone: () => void;
  /** The last stage is over; requests are still in flight, maybe. */
  readonly onLoadEnded: () => void;
  /** All is over, and this is the last word on it. */
  readonly onDrained: (final: Final) => void;
}

/**
 * One shard under way, from the committed start to its final: sends, records, cuts intervals, drains. Run time is
 * microseconds since time zero on the agent's own clock.
 */
export class LoadRun {
  readonly #options: LoadRunOptions;
  readonly #recorder: Recorder;
  readonly #load: ShardLoad;
  readonly #ahead: RequestsAhead;
  readonly #intervalUs: number;
  readonly #graceUs: number;
  #stageStartsUs: readonly (number | null)[];
  #startErrorUs: number | null = null;
  #stageDone = -1;
  #isDraining = false;
  #isFinished = false;
  /** The start, then the ticks. */
  #timer: Cancel | undefined;
  #drainTimer: Cancel | undefined;
  #finishTimer: Cancel | undefined;

  constructor(options: LoadRunOptions) {
    const { record, preparation, clock, atUs, target, vitals } = options;
    const { plan, stages, shard } = preparation;
    this.#options = options;
    this.#intervalUs = plan.intervalMs * 1000;
    this.#graceUs = plan.gracePeriodMs * 1000;
    this.#stageStartsUs = record.stageStartsUs;
    assert(record.stageStartsUs.length === stages.length, "a start for each stage, known or not");
    this.#recorder = createRecorder({
      run: record.id,
      agent: options.agent,
      epoch: options.epoch,
      stages,
      shard,
      stageStartsUs: record.stageStartsUs,
      intervalUs: this.#intervalUs,
      gracePeriodUs: this.#graceUs,
      slos: plan.slos,
      urls: plan.target.urls.length,
      keepsWork: hasMembersOrImages(plan),
      vitals: (toUs) => ({ ...vitals.read(atUs + toUs), ...socketVitals(target, vitals) }),
      onSnapshot: options.onSnapshot,
    });
    this.#ahead = new RequestsAhead({
      run: record.id,
      factory: preparation.requests,
      clock,
      maxBytes: options.aheadBytes,
    });
    this.#load = new ShardLoad({
      plan,
      stages,
      shard,
      clock,
      target,
      recorder: this.#recorder,
      ahead: this.#ahead,
      trace: preparation.trace,
      startUs: atUs,
      stageStartsUs: record.stageStartsUs,
      mayOffer: options.mayOffer ?? (() => true),
      onStageDone: (stage) => {
        this.#stageDone = Math.max(this.#stageDone, stage);
        options.onStageDone();
      },
      onEnd: (edgeUs) => {
        this.#drainUntil(edgeUs + this.#graceUs);
        options.onLoadEnded();
      },
      onRequestEnd: () => this.#finishWhenIdle(),
    });
    this.#timer = clock.at(atUs, () => this.#begin());
  }

  /** How late the first call came after time zero; null before. */
  get startErrorUs(): number | null {
    return this.#startErrorUs;
  }

  /** Highest stage bounded by requests that this shard has done; -1 when none. */
  get stageDone(): number {
    return this.#stageDone;
  }

  /** It has done a stage bounded by requests, and nobody has said when the next one begins. */
  get isAwaitingStage(): boolean {
    return !this.#isDraining && this.#stageDone >= 0 && this.#stageStartsUs[this.#stageDone + 1] === null;
  }

  /** Stage in which the run is; -1 before time zero. */
  get stage(): number {
    return this.#startErrorUs === null ? -1 : stageAt(this.#stageStartsUs, this.#nowUs());
  }

  get lastCut(): number {
    return this.#recorder.lastSeq();
  }

  ledger(): Ledger {
    return this.#recorder.ledger();
  }

  commitStages(stageStartsUs: readonly (number | null)[]): void {
    if (this.#isDraining) return;
    this.#stageStartsUs = stageStartsUs;
    this.#load.commit(stageStartsUs);
  }

  /** Connections that it may come to need at once. */
  get slots(): number {
    return this.#load.sender.slots;
  }

  /** Sends what another agent was to send as well. */
  takeOver(shards: readonly TakenShard[]): void {
    if (this.#isDraining) return;
    for (const shard of shards) this.#load.takeOver(shard);
  }

  /** Sends nothing new; `cut` ends what is in flight too. */
  stop(level: "drain" | "cut"): void {
    this.#options.target.afterReads(() => this.#stop(level));
  }

  #stop(level: "drain" | "cut"): void {
    if (this.#isFinished) return;
    if (!this.#isDraining) {
      const nowUs = this.#nowUs();
      this.#load.stop();
      if (this.#startErrorUs === null) this.#timer?.();
      this.#recorder.stop(nowUs);
      this.#drainUntil(nowUs + this.#graceUs);
    }
    if (level === "cut") this.#cancelAll();
  }

  /** Ends at once, without a final: the run is forgotten. May be called twice. */
  dispose(): void {
    this.#isFinished = true;
    this.#load.stop();
    for (const cancel of [this.#timer, this.#drainTimer, this.#finishTimer]) cancel?.();
  }

  #begin(): void {
    const { clock, atUs, vitals, onStarted } = this.#options;
    this.#startErrorUs = clock.nowUs() - atUs;
    // What happened before time zero belongs to no interval.
    vitals.read();
    onStarted();
    this.#load.start();
    this.#tick();
  }

  /** Brings the books up to each interval's edge soon after it. */
  #tick(): void {
    if (this.#isFinished) return;
    const { clock, atUs, target } = this.#options;
    let nowUs = 0;
    target.afterReads(() => {
      nowUs = this.#nowUs();
      this.#recorder.advance(nowUs);
    });
    const nextUs = (Math.floor(nowUs / this.#intervalUs) + 1) * this.#intervalUs;
    this.#timer = clock.at(atUs + nextUs, () => this.#tick());
  }

  /** Waits for what is in flight; what is still open then is censored, and ended. */
  #drainUntil(deadlineUs: number): void {
    this.#isDraining = true;
    const { clock, atUs, target } = this.#options;
    this.#drainTimer = clock.at(atUs + deadlineUs, () => {
      target.afterReads(() => {
        this.#recorder.advance(deadlineUs);
        this.#cancelAll();
      });
    });
    this.#finishWhenIdle();
  }

  #cancelAll(): void {
    const { clock, logger, record } = this.#options;
    this.#drainTimer?.();
    this.#drainTimer = clock.at(clock.nowUs() + CANCEL_WAIT_US, () => {
      const left = this.#load.sender.abandon();
      logger.error("cancelled requests did not end", { run: record.id, requests: left });
    });
    this.#load.sender.cancel();
    this.#finishWhenIdle();
  }

  /** Not at once: whoever ended the last request may still be at work on it. */
  #finishWhenIdle(): void {
    if (!this.#isDraining || this.#isFinished || this.#finishTimer !== undefined) return;
    if (this.#load.sender.inFlight > 0) return;
    const { clock } = this.#options;
    this.#finishTimer = clock.at(clock.nowUs(), () => this.#finish());
  }

  #finish(): void {
    const { preparation, evicted, onDrained } = this.#options;
    const unled = this.#unled();
    this.dispose();
    onDrained(
      this.#recorder.finish(this.#nowUs(), {
        startErrorUs: this.#startErrorUs ?? 0,
        evicted: evicted(),
        builtLate: this.#ahead.builtLate,
        ...(unled.length === 0 ? {} : { unled }),
        reader: preparation.ready.reader,
      }),
    );
  }

  /** In run time, and only what lies in it. */
  #unled(): { readonly fromUs: number; readonly toUs: number }[] {
    const { atUs, unled } = this.#options;
    return unled()
      .map(({ fromUs, toUs }) => ({ fromUs: Math.max(0, fromUs - atUs), toUs: toUs - atUs }))
      .filter(({ fromUs, toUs }) => toUs > fromUs);
  }

  /** Before time zero nothing has happened yet. */
  #nowUs(): number {
    return Math.max(0, this.#options.clock.nowUs() - this.#options.atUs);
  }
}

/** Ports are the run's own, so that the figure is the shard's need; absent where the host does not say how many there are. */
function socketVitals(
  { openSockets, mostToOnePlace }: Target,
  { localPortRange }: VitalsSource,
): Pick<Vitals, "openSockets" | "localPorts"> {
  if (localPortRange === 0) return { openSockets };
  return { openSockets, localPorts: { used: mostToOnePlace, range: localPortRange } };
}
