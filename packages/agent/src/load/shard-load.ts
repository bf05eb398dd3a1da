import type {
  Cancel,
  Clock,
  Recorder,
  ResolvedStage,
  Shard,
  TakenShard,
  TestPlan,
  TraceEntry,
} from "@tokenstorm/core";
import type { Target } from "../target/target.js";
import type { RequestsAhead } from "./requests-ahead.js";
import { type EndedRequest, Sender } from "./sender.js";
import { ShardPart } from "./shard-part.js";
import { earliest, sendingLengthUs } from "./stage-times.js";

/** The first requests of a stage are built so long before it begins. */
const PREPARE_AHEAD_US = 5_000_000;
/** However much is due at once, the event loop is held no longer than this at a time: answers are waiting too. */
const SLICE_US = 2000;
/** Where time stands still (virtual clocks), so many at a time. */
const SLICE_STEPS = 1000;

export interface ShardLoadOptions {
  readonly plan: TestPlan;
  readonly stages: readonly ResolvedStage[];
  readonly shard: Shard;
  readonly clock: Clock;
  readonly target: Target;
  readonly recorder: Recorder;
  readonly ahead: RequestsAhead;
  /** Of a load that is one. */
  readonly trace?: readonly TraceEntry[] | undefined;
  /** Time zero on the agent's clock, us. */
  readonly startUs: number;
  readonly stageStartsUs: readonly (number | null)[];
  /** False: nothing more is sent, for others may send it. */
  readonly mayOffer: () => boolean;
  /** This shard has done a stage bounded by requests, and is idle. */
  readonly onStageDone: (stage: number) => void;
  /** The last stage is over at this run time: nothing becomes due any more. */
  readonly onEnd: (edgeUs: number) => void;
  /** A request has ended. */
  readonly onRequestEnd: () => void;
}

interface TimelineEvent {
  readonly tUs: number;
  readonly run: () => void;
}

/**
 * Everything that one shard sends in a run, when it is due: users, arrivals, and the edges of stages. One timer waits
 * for whatever comes next; what the end of a request makes due is sent at once.
 */
export class ShardLoad {
  readonly sender: Sender;
  readonly #options: ShardLoadOptions;
  /** The shard's own, and those that it has taken over. */
  readonly #parts: ShardPart[] = [];
  /** By time. */
  #events: TimelineEvent[] = [];
  readonly #planned = new Set<number>();
  readonly #done = new Set<number>();
  #startsUs: readonly (number | null)[];
  #timer: { readonly tUs: number; readonly cancel: Cancel } | undefined;
  #hasStarted = false;
  #isStopped = false;
  #isPumping = false;
  /** To be done when what was read has been understood. */
  #isPumpWanted = false;

  constructor(options: ShardLoadOptions) {
    const { shard, recorder } = options;
    this.#options = options;
    this.#startsUs = options.stageStartsUs;
    this.sender = new Sender({
      clock: options.clock,
      target: options.target,
      recorder,
      slots: 0,
      startUs: options.startUs,
      onEnd: (ended) => this.#ended(ended),
    });
    this.#parts.push(this.#partOf({ ...shard, fromStage: 0 }));
    this.#plan();
  }

  /** Time zero has come. */
  start(): void {
    this.#hasStarted = true;
    this.#pump();
  }

  /** Further stages have their start. */
  commit(startsUs: readonly (number | null)[]): void {
    if (this.#isStopped) return;
    this.#startsUs = startsUs;
    this.#options.target.afterReads(() => {
      this.#options.recorder.commitStageStarts(startsUs, this.sender.nowUs());
      this.#plan();
      this.#pump();
    });
  }

  /** Sends another shard too, from a stage on. */
  takeOver(shard: TakenShard): void {
    if (this.#isStopped) return;
    this.#options.recorder.takeOver(shard);
    const part = this.#partOf(shard);
    this.#parts.push(part);
    part.commit(this.#startsUs);
    // What has been prepared already was prepared without it.
    for (const { index } of this.#options.stages) {
      const startUs = this.#startsUs[index] ?? null;
      const isPast = startUs !== null && startUs <= this.sender.nowUs() + PREPARE_AHEAD_US;
      if (index >= shard.fromStage && isPast) part.prepareStage(index);
    }
    this.#pump();
  }

  /** Nothing is sent any more. May be called twice. */
  stop(): void {
    this.#isStopped = true;
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#events = [];
    for (const part of this.#parts) part.stop();
    this.#options.ahead.close();
  }

  /** Puts what follows from newly known starts on the timeline. */
  #plan(): void {
    const { stages } = this.#options;
    for (const [index, stage] of stages.entries()) {
      const startUs = this.#startsUs[index] ?? null;
      if (startUs === null || this.#planned.has(index)) continue;
      this.#planned.add(index);
      this.#planStage(stage, startUs);
    }
    this.#events.sort((one, other) => one.tUs - other.tUs);
    for (const part of this.#parts) part.commit(this.#startsUs);
  }

  #partOf(shard: TakenShard): ShardPart {
    return new ShardPart({ ...this.#options, shard, sender: this.sender, onDue: () => this.#pump() });
  }

  #prepareStage(stage: number): void {
    for (const part of this.#parts) part.prepareStage(stage);
  }

  #planStage(stage: ResolvedStage, startUs: number): void {
    const { recorder, plan, stages } = this.#options;
    const edgeUs = startUs + sendingLengthUs(stage);
    const at = (tUs: number, run: () => void) => this.#events.push({ tUs, run });
    if (startUs <= this.sender.nowUs() + PREPARE_AHEAD_US) this.#prepareStage(stage.index);
    else at(startUs - PREPARE_AHEAD_US, () => this.#prepareStage(stage.index));
    if (stage.kind === "users" && stage.bound.kind === "requests") {
      // A shard may own no request of it: then it is done when it begins.
      at(startUs, () => this.#checkDone(stage.index, startUs));
      at(edgeUs, () => recorder.stageDone(stage.index, edgeUs));
      const limitUs = edgeUs + plan.gracePeriodMs * 1000;
      at(limitUs, () => {
        recorder.advance(limitUs);
        this.sender.cancel(stage.index);
      });
    } else if (stage.index === stages.length - 1) at(edgeUs, () => this.#end(edgeUs));
  }

  #ended(ended: EndedRequest): void {
    const { slot, stage, tUs } = ended;
    this.#parts.find((part) => part.holds(slot))?.ended(ended);
    if (!this.#isStopped) this.#checkDone(stage, tUs);
    this.#options.onRequestEnd();
    this.#pump();
  }

  /** A user that leaves an earlier stage may be the last to leave this one as well. */
  #checkDone(stage: number, tUs: number): void {
    const { stages, recorder } = this.#options;
    for (const { index, ...rest } of stages.slice(stage)) {
      if (rest.kind !== "users" || rest.bound.kind !== "requests") continue;
      const startUs = this.#startsUs[index] ?? null;
      if (startUs === null || tUs < startUs || this.#done.has(index)) continue;
      if (!this.#parts.every((part) => part.isPassed(index))) continue;
      this.#done.add(index);
      recorder.stageDone(index, tUs);
      this.#options.onStageDone(index);
      if (index === stages.length - 1) this.#end(tUs);
    }
  }

  #end(edgeUs: number): void {
    if (this.#isStopped) return;
    this.stop();
    this.#options.onEnd(edgeUs);
  }

  /** Does what is due, in the order of time, and waits for what comes next; not before all that was read is in the books. */
  #pump(): void {
    if (this.#isPumpWanted) return;
    this.#isPumpWanted = true;
    this.#options.target.afterReads(() => {
      this.#isPumpWanted = false;
      this.#doDue();
    });
  }

  #doDue(): void {
    if (this.#isPumping || !this.#hasStarted || !this.#options.mayOffer()) return;
    this.#isPumping = true;
    try {
      const untilUs = this.sender.nowUs() + SLICE_US;
      for (let steps = 0; steps < SLICE_STEPS; steps += 1) {
        const nowUs = this.sender.nowUs();
        if (nowUs >= untilUs || !this.#doNext(nowUs)) break;
      }
    } finally {
      this.#isPumping = false;
    }
    this.#wait();
  }

  /** False when nothing is due. */
  #doNext(nowUs: number): boolean {
    const event = this.#events[0];
    const nextUs = this.#firstDueUs();
    // What is due at the very edge belongs to what follows it.
    if (event !== undefined && event.tUs <= nowUs && (nextUs === undefined || event.tUs <= nextUs)) {
      this.#events.shift();
      event.run();
      return true;
    }
    if (nextUs === undefined || nextUs > nowUs) return false;
    return this.#parts.some((part) => part.sendNext(nextUs));
  }

  #firstDueUs(): number | undefined {
    let firstUs: number | undefined;
    for (const part of this.#parts) firstUs = earliest(firstUs, part.firstDueUs());
    return firstUs;
  }

  #wait(): void {
    const { clock, startUs } = this.#options;
    const nextUs = earliest(this.#events[0]?.tUs, this.#firstDueUs());
    if (this.#timer?.tUs === nextUs) return;
    this.#timer?.cancel();
    this.#timer = undefined;
    if (nextUs === undefined || this.#isStopped) return;
    const cancel = clock.at(startUs + nextUs, () => {
      this.#timer = undefined;
      this.#pump();
    });
    this.#timer = { tUs: nextUs, cancel };
  }
}
