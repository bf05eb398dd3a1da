import {
  type Arrival,
  arrivals,
  type Cancel,
  type Clock,
  type Recorder,
  type ResolvedStage,
  type Shard,
  type TestPlan,
  type TraceEntry,
  traceArrivals,
} from "@tokenstorm/core";
import type { Target } from "../target/target.js";
import { ClosedLoad } from "./closed-load.js";
import { OpenLoad } from "./open-load.js";
import type { RequestsAhead } from "./requests-ahead.js";
import { type EndedRequest, Sender } from "./sender.js";
import { maxInFlightOf, sendingLengthUs, slotsOf } from "./stage-times.js";

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
  readonly #closed: ClosedLoad;
  readonly #open: OpenLoad | null;
  /** By time. */
  #events: TimelineEvent[] = [];
  readonly #planned = new Set<number>();
  readonly #done = new Set<number>();
  #startsUs: readonly (number | null)[];
  #timer: { readonly tUs: number; readonly cancel: Cancel } | undefined;
  #hasStarted = false;
  #isStopped = false;
  #isPumping = false;

  constructor(options: ShardLoadOptions) {
    const { plan, stages, shard, recorder, ahead } = options;
    this.#options = options;
    this.#startsUs = options.stageStartsUs;
    this.sender = new Sender({
      clock: options.clock,
      target: options.target,
      recorder,
      slots: slotsOf(plan, stages, shard),
      startUs: options.startUs,
      onEnd: (ended) => this.#ended(ended),
    });
    const sending = { recorder, sender: this.sender, ahead };
    this.#closed = new ClosedLoad({ stages, shard, ...sending });
    const due = arrivalsOf(options);
    this.#open =
      due !== null
        ? new OpenLoad({
            arrivals: due,
            maxInFlight: maxInFlightOf(plan, shard),
            maxLatenessUs: plan.maxLatenessMs * 1000,
            ...sending,
          })
        : null;
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
    this.#options.recorder.commitStageStarts(startsUs, this.sender.nowUs());
    this.#plan();
    this.#pump();
  }

  /** Nothing is sent any more. May be called twice. */
  stop(): void {
    this.#isStopped = true;
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#events = [];
    this.#closed.stop();
    this.#open?.stop();
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
    this.#closed.commit(this.#startsUs);
    const firstRate = stages.findIndex((stage) => stage.kind === "rate");
    this.#open?.commit(this.#startsUs[firstRate] ?? null);
  }

  #planStage(stage: ResolvedStage, startUs: number): void {
    const { recorder, plan, stages } = this.#options;
    const edgeUs = startUs + sendingLengthUs(stage);
    const at = (tUs: number, run: () => void) => this.#events.push({ tUs, run });
    if (startUs <= this.sender.nowUs() + PREPARE_AHEAD_US) this.#closed.prepareStage(stage.index);
    else at(startUs - PREPARE_AHEAD_US, () => this.#closed.prepareStage(stage.index));
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
    if (this.#options.stages[stage]?.kind === "rate") this.#open?.ended(slot);
    else this.#closed.ended(ended);
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
      if (startUs === null || tUs < startUs || this.#done.has(index) || !this.#closed.isPassed(index))
        continue;
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

  /** Does what is due, in the order of time, and waits for what comes next. */
  #pump(): void {
    if (this.#isPumping || !this.#hasStarted) return;
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
    const nextUs = earliest(this.#closed.firstDueUs(), this.#open?.firstDueUs());
    // What is due at the very edge belongs to what follows it.
    if (event !== undefined && event.tUs <= nowUs && (nextUs === undefined || event.tUs <= nextUs)) {
      this.#events.shift();
      event.run();
      return true;
    }
    if (nextUs === undefined || nextUs > nowUs) return false;
    return this.#closed.sendNext(nextUs) || this.#open?.sendNext(nextUs) === true;
  }

  #wait(): void {
    const { clock, startUs } = this.#options;
    const nextUs = earliest(
      this.#events[0]?.tUs,
      earliest(this.#closed.firstDueUs(), this.#open?.firstDueUs()),
    );
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

/** Null of a closed load. */
function arrivalsOf({ plan, stages, shard, trace = [] }: ShardLoadOptions): Iterator<Arrival> | null {
  const { load, seed } = plan;
  switch (load.kind) {
    case "users":
      return null;
    case "arrival-rate":
      return arrivals({ stages, spacing: load.spacing, seed, shard });
    case "trace":
      return traceArrivals({ entries: trace, stages, shard });
  }
}

function earliest(one: number | undefined, other: number | undefined): number | undefined {
  if (one === undefined || other === undefined) return one ?? other;
  return Math.min(one, other);
}
