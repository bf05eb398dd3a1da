import {
  type Arrival,
  arrivals,
  type Cancel,
  type Clock,
  pacedArrivals,
  type Recorder,
  type ResolvedStage,
  type TakenShard,
  type TestPlan,
  type TraceEntry,
  traceArrivals,
} from "@tokenstorm/core";
import { ClosedLoad } from "./closed-load.js";
import { OpenLoad } from "./open-load.js";
import type { RequestsAhead } from "./requests-ahead.js";
import type { EndedRequest, Sender } from "./sender.js";
import { earliest, maxInFlightOf, slotsOf } from "./stage-times.js";

/**
 * Of a shard that was taken over in mid-run so many of all arrivals are walked at a time, and so often, us: it has one in
 * thousands, and what runs must not wait for it. A million a second, so that it is there before the stage that it is taken over in.
 */
const WALK_ARRIVALS = 2000;
const WALK_EVERY_US = 2000;

export interface ShardPartOptions {
  readonly plan: TestPlan;
  readonly stages: readonly ResolvedStage[];
  /** `fromStage` 0 of the agent's own. */
  readonly shard: TakenShard;
  readonly clock: Clock;
  readonly recorder: Recorder;
  readonly sender: Sender;
  readonly ahead: RequestsAhead;
  readonly trace?: readonly TraceEntry[] | undefined;
  /** Something is due that was not before. */
  readonly onDue: () => void;
}

/** The users and arrivals of one shard, in slots of their own: the agent's, or one that it has taken over. */
export class ShardPart {
  readonly #options: ShardPartOptions;
  readonly #firstSlot: number;
  readonly #slots: number;
  readonly #closed: ClosedLoad;
  #open: OpenLoad | null = null;
  #startsUs: readonly (number | null)[] = [];
  #pass: Cancel | undefined;
  #isStopped = false;

  constructor(options: ShardPartOptions) {
    const { plan, stages, shard, recorder, sender, ahead } = options;
    this.#options = options;
    const own = stages.filter(({ index }) => index >= shard.fromStage);
    this.#slots = slotsOf(plan, own, shard);
    this.#firstSlot = sender.addSlots(this.#slots);
    const { fromStage } = shard;
    this.#closed = new ClosedLoad({
      stages,
      shard,
      fromStage,
      firstSlot: this.#firstSlot,
      recorder,
      sender,
      ahead,
    });
    const due = arrivalsOf(options);
    if (due !== null) this.#passOver(due);
  }

  /** Starts of stages that are known by now. */
  commit(startsUs: readonly (number | null)[]): void {
    this.#startsUs = startsUs;
    this.#closed.commit(startsUs);
    this.#open?.commit(this.#loadStartUs());
  }

  prepareStage(stage: number): void {
    this.#closed.prepareStage(stage);
  }

  /** Every user of the shard has left this stage. */
  isPassed(stage: number): boolean {
    return this.#closed.isPassed(stage);
  }

  firstDueUs(): number | undefined {
    return earliest(this.#closed.firstDueUs(), this.#open?.firstDueUs());
  }

  /** Sends what is due first, if it is by then; false when nothing is. */
  sendNext(nowUs: number): boolean {
    return this.#closed.sendNext(nowUs) || this.#open?.sendNext(nowUs) === true;
  }

  holds(slot: number): boolean {
    return slot >= this.#firstSlot && slot < this.#firstSlot + this.#slots;
  }

  ended(ended: EndedRequest): void {
    if (this.#options.stages[ended.stage]?.kind === "rate") this.#open?.ended(ended.slot);
    else this.#closed.ended(ended);
  }

  /** May be called twice. */
  stop(): void {
    this.#isStopped = true;
    this.#pass?.();
    this.#closed.stop();
    this.#open?.stop();
  }

  /** Goes on to the first arrival that is this agent's by its stage, in slices: whatever runs must not wait for it. */
  #passOver(due: Iterator<Arrival | null>): void {
    const { shard } = this.#options;
    if (shard.fromStage === 0) {
      this.#openWith(due);
      return;
    }
    for (let passed = 0; passed < WALK_ARRIVALS; passed += 1) {
      const next = due.next();
      if (next.done === true) return;
      if (next.value === null) break;
      if (next.value.key.stage >= shard.fromStage) {
        this.#openWith(withFirst(next.value, due));
        return;
      }
    }
    this.#later(() => this.#passOver(due));
  }

  #later(goOn: () => void): void {
    const { clock } = this.#options;
    this.#pass = clock.at(clock.nowUs() + WALK_EVERY_US, () => {
      if (!this.#isStopped) goOn();
    });
  }

  #openWith(due: Iterator<Arrival | null>): void {
    const { plan, shard, recorder, sender, ahead, onDue } = this.#options;
    this.#open = new OpenLoad({
      arrivals: due,
      later: (goOn) => this.#later(goOn),
      onDue,
      maxInFlight: maxInFlightOf(plan, shard),
      firstSlot: this.#firstSlot,
      maxLatenessUs: plan.maxLatenessMs * 1000,
      recorder,
      sender,
      ahead,
    });
    this.#open.commit(this.#loadStartUs());
    if (this.#pass !== undefined) onDue();
  }

  /** Start of the first rate stage, since which arrivals are due. */
  #loadStartUs(): number | null {
    const firstRate = this.#options.stages.findIndex((stage) => stage.kind === "rate");
    return this.#startsUs[firstRate] ?? null;
  }
}

/** Null of a closed load. */
function arrivalsOf({ plan, stages, shard, trace = [] }: ShardPartOptions): Iterator<Arrival | null> | null {
  const { load, seed } = plan;
  switch (load.kind) {
    case "users":
      return null;
    case "arrival-rate":
      // The agent's own are known before time zero, when nothing runs yet.
      return shard.fromStage === 0
        ? arrivals({ stages, spacing: load.spacing, seed, shard })
        : pacedArrivals({ stages, spacing: load.spacing, seed, shard, steps: WALK_ARRIVALS });
    case "trace":
      return traceArrivals({ entries: trace, stages, shard });
  }
}

function* withFirst(first: Arrival, rest: Iterator<Arrival | null>): IterableIterator<Arrival | null> {
  yield first;
  for (let next = rest.next(); next.done !== true; next = rest.next()) yield next.value;
}
