import {
  type AgentEffect,
  type AgentEvent,
  type AgentPlace,
  type Final,
  LoadError,
  type Problem,
  type RunRecord,
  type Snapshot,
  type TakenShard,
} from "@tokenstorm/core";
import type { Beacon, Heartbeat } from "@tokenstorm/protocol";
import type { AgentDeps, AgentOptions } from "../agent-deps.js";
import { plannedEventsPerS } from "../load/planned-events.js";
import { problemOf } from "../problem.js";
import { Delivery } from "../results/delivery.js";
import type { Target } from "../target/target.js";
import { loadDataSets } from "./load-data-sets.js";
import { LoadRun } from "./load-run.js";
import { checkShard, mostSlotsOf, OTHER_DESCRIPTORS, type Preparation, prepareShard } from "./preparation.js";

export interface ShardRunOptions {
  readonly deps: AgentDeps;
  readonly agentOptions: AgentOptions;
  readonly record: RunRecord;
  readonly place: AgentPlace;
  /** What happened; the agent's machine decides what follows. */
  readonly onEvent: (event: AgentEvent) => void;
  /** A stage is done: the leader waits for it. What else changes can wait for the next heartbeat. */
  readonly onStageDone: () => void;
  /** Times in which no leader was heard, us of the agent's clock. */
  readonly unled: () => readonly { readonly fromUs: number; readonly toUs: number }[];
  /** A leader has been heard lately; without one nothing more is sent, even before the machine says so. */
  readonly mayOffer: () => boolean;
  readonly onSpooled: (file: string) => void;
  readonly onUndelivered: () => void;
  /** All is confirmed, also what had been spooled. */
  readonly onDelivered: () => void;
  readonly onBug: (error: unknown) => void;
}

/** What a heartbeat says of the run that the agent is in. */
export type RunFacts = Pick<
  Heartbeat,
  | "ready"
  | "startErrorUs"
  | "stage"
  | "stageDone"
  | "lastCut"
  | "lastAcked"
  | "ledger"
  | "gaps"
  | "undelivered"
>;

export const NO_RUN_FACTS: RunFacts = {
  ready: null,
  startErrorUs: null,
  stage: -1,
  stageDone: -1,
  lastCut: 0,
  lastAcked: 0,
  ledger: null,
};

/** One run at this agent, from admission to release: carries out what the machine decides, and says what came of it. */
export class ShardRun {
  readonly #options: ShardRunOptions;
  #preparation: Preparation | null = null;
  #target: Target | null = null;
  #load: LoadRun | null = null;
  #delivery: Delivery | null = null;
  #final: Final | null = null;
  #vitals: Snapshot["vitals"] | null = null;
  #isReleased = false;

  constructor(options: ShardRunOptions) {
    this.#options = options;
  }

  /** Of the last interval; null before the first. */
  get vitals(): Snapshot["vitals"] | null {
    return this.#vitals;
  }

  get isUnderWay(): boolean {
    return this.#load !== null;
  }

  /** It has nothing to do until the record says when the next stage begins. */
  get isAwaitingStage(): boolean {
    return this.#load?.isAwaitingStage === true;
  }

  get openSockets(): number {
    return this.#target?.openSockets ?? 0;
  }

  /** What keeps results from being delivered; null when nothing does. */
  get problem(): Problem | null {
    return this.#delivery?.problem ?? null;
  }

  facts(): RunFacts {
    const load = this.#load;
    return {
      ready: this.#preparation?.ready ?? null,
      startErrorUs: load?.startErrorUs ?? null,
      stage: load?.stage ?? -1,
      stageDone: load?.stageDone ?? -1,
      lastCut: load?.lastCut ?? 0,
      lastAcked: this.#delivery?.acknowledgedThrough ?? 0,
      ledger: load?.ledger() ?? null,
      ...this.#owed(),
    };
  }

  /** What will not come: absent where all will. */
  #owed(): Pick<RunFacts, "gaps" | "undelivered"> {
    const gaps = this.#delivery?.gaps ?? [];
    const undelivered = this.#delivery?.undelivered ?? 0;
    return {
      ...(gaps.length === 0 ? {} : { gaps: [...gaps] }),
      ...(undelivered === 0 ? {} : { undelivered }),
    };
  }

  /** What a beacon says of this agent's results. */
  heed(beacon: Beacon): void {
    const { id } = this.#options.deps;
    const { epoch } = this.#options.place;
    const confirmed = beacon.confirmed[id];
    if (confirmed?.epoch === epoch) this.#delivery?.confirm(confirmed);
    const wanted = beacon.resend[id];
    if (wanted?.epoch === epoch) this.#delivery?.resend(wanted);
  }

  carryOut(effect: Exclude<AgentEffect, { kind: "release" }>): void {
    switch (effect.kind) {
      case "prepare":
        // Every ending is handled within.
        void this.#prepare();
        return;
      case "start":
        this.#start(effect.record, effect.atUs);
        return;
      case "take-over":
        this.#takeOver(effect.shards);
        return;
      case "commit-stages":
        this.#load?.commitStages(effect.stageStartsUs);
        return;
      case "stop":
        this.#load?.stop(effect.level);
        return;
      case "close-target":
        this.#closeTarget();
        return;
      case "hurry-delivery":
        this.#delivery?.hurry();
        return;
      case "deliver":
        if (this.#final !== null) this.#delivery?.finish(this.#final);
        return;
    }
  }

  /** Forgets the run. May be called twice. */
  release(): void {
    this.#isReleased = true;
    this.#load?.dispose();
    this.#delivery?.close();
    this.#closeTarget();
  }

  async #prepare(): Promise<void> {
    const { deps, agentOptions, record, place, onEvent, onBug } = this.#options;
    try {
      const checked = checkShard(record, { shard: place, descriptorLimit: agentOptions.descriptorLimit });
      const { plan, stages } = checked;
      const planned = plannedEventsPerS(plan, stages, place);
      const target = deps.targets({
        plan,
        slots: mostSlotsOf(checked),
        env: deps.env,
        plannedEventsPerS: planned,
        capacity: deps.capacity,
      });
      this.#target = target;
      deps.vitals.beginProbe();
      const { version } = deps;
      const data = await loadDataSets(plan, deps.dataSets);
      // Side by side: while the target answers the test requests there is nothing else to do.
      const [preparation] = await Promise.all([
        prepareShard(checked, { target, record, version, plannedEventsPerS: planned, data }),
        deps.rehearse?.(),
      ]);
      if (this.#isReleased) return;
      this.#preparation = preparation;
      onEvent({ kind: "prepared", nowUs: deps.clock.nowUs() });
    } catch (error) {
      // Whatever a target says while it is being closed is no news.
      if (this.#isReleased) return;
      if (!(error instanceof LoadError)) {
        onBug(error);
        return;
      }
      onEvent({ kind: "not-ready", problem: problemOf(error) });
    }
  }

  #start(record: RunRecord, atUs: number): void {
    const { deps, agentOptions, place, onEvent, onStageDone } = this.#options;
    const preparation = this.#preparation;
    const target = this.#target;
    if (preparation === null || target === null) return;
    const { clock, logger, id } = deps;
    const delivery = new Delivery({
      ...agentOptions,
      log: deps.log,
      clock,
      logger,
      run: record.id,
      agent: id,
      epoch: place.epoch,
      deliverMs: preparation.plan.deliverMs,
      writeSpool: deps.writeSpool,
      onEnd: ({ problem, spooled }) => this.#delivered(problem, spooled),
    });
    this.#delivery = delivery;
    this.#load = new LoadRun({
      record,
      agent: id,
      epoch: place.epoch,
      preparation,
      target,
      atUs,
      aheadBytes: agentOptions.aheadBytes,
      clock,
      vitals: deps.vitals,
      logger,
      evicted: () => delivery.evicted,
      unled: () => this.#options.unled(),
      mayOffer: () => this.#options.mayOffer(),
      onSnapshot: (snapshot) => {
        this.#vitals = snapshot.vitals;
        delivery.add(snapshot);
      },
      onStarted: () => onEvent({ kind: "started" }),
      onStageDone,
      onLoadEnded: () => onEvent({ kind: "load-ended" }),
      onDrained: (final) => {
        this.#final = final;
        onEvent({ kind: "drained" });
      },
    });
  }

  /** Before the start room was left for one loss; for all there could be, no large run would find agents. */
  #takeOver(shards: readonly TakenShard[]): void {
    const { deps, agentOptions, record } = this.#options;
    this.#load?.takeOver(shards);
    const slots = this.#load?.slots ?? 0;
    const needed = slots + OTHER_DESCRIPTORS;
    const { descriptorLimit } = agentOptions;
    if (descriptorLimit > 0 && needed > descriptorLimit)
      deps.logger.warn(
        `with what it has taken over this agent's share is ${slots} connections, which takes ${needed} file descriptors; ` +
          `the process may open ${descriptorLimit}: requests beyond that fail here, not at the target`,
        { run: record.id },
      );
  }

  #delivered(problem: Problem | null, spooled: string | null): void {
    const { onEvent, onSpooled, onDelivered, onUndelivered } = this.#options;
    if (spooled !== null) onSpooled(spooled);
    if (problem === null) {
      onDelivered();
      onEvent({ kind: "delivered" });
    } else {
      onUndelivered();
      onEvent({ kind: "undelivered", problem });
    }
  }

  #closeTarget(): void {
    const target = this.#target;
    this.#target = null;
    // Nothing is measured any more.
    if (target !== null) this.#options.deps.vitals.endProbe();
    target?.close().catch(this.#options.onBug);
  }
}
