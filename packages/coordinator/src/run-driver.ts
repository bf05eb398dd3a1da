import {
  type AgentRegistry,
  type AgentView,
  beginLeading,
  buildLiveUpdate,
  type Cancel,
  type ClockComparison,
  candidatesFor,
  givenUpAgents,
  isTerminal,
  type LeaderConfig,
  type LeaderEffect,
  type LeaderEvent,
  type LeaderState,
  type LiveUpdate,
  LoadError,
  leadRun,
  openLosses,
  type Problem,
  type QuiescentScrape,
  type RecordChange,
  type RunRecord,
  resumeLeading,
  runTimeUs,
  silenceNotes,
  type Transition,
  waitingNotes,
} from "@tokenstorm/core";
import { type Beacon, probeClocks } from "@tokenstorm/protocol";
import { ClockWatch } from "./clock-watch.js";
import type { CoordinatorDeps } from "./deps.js";
import { COORDINATOR_LIMITS } from "./limits.js";
import { RecordWriter } from "./record-writer.js";
import { problemOf } from "./run-finisher.js";
import { RunKeeper } from "./run-keeper.js";
import type { StoredRun } from "./run-queue.js";
import { ServerScraper } from "./server-scraper.js";
import { ThresholdWatch } from "./threshold-watch.js";
import { startTicker } from "./ticker.js";

export interface RunDriverOptions {
  readonly deps: CoordinatorDeps;
  readonly config: LeaderConfig;
  readonly stored: StoredRun;
  /** The leader that has admitted its agents, where the run is taken over; the store names this one by now. */
  readonly before: { readonly leader: string; readonly term: number } | null;
  /** False as soon as another one may lead. */
  readonly isLeading: () => boolean;
  readonly registry: AgentRegistry;
  /** The beacon says something else than before. */
  readonly onChange: () => void;
  /** A message was refused; counted for the run's facts. */
  readonly onRefusal: (reason: string) => void;
  readonly refusals: () => number;
  /** The store does not work: nothing can be led. */
  readonly onFailure: (error: LoadError) => void;
}

const NOBODY: ReadonlySet<string> = new Set();

/** Leads one run: carries out what the core's machine decides, and tells it what came of it. */
export class RunDriver {
  readonly #options: RunDriverOptions;
  readonly #writer: RecordWriter;
  readonly #scraper: ServerScraper;
  readonly #keeper: RunKeeper;
  readonly #thresholds: ThresholdWatch;
  readonly #clocks: ClockWatch;
  readonly #refusalsBefore: number;
  readonly #queue: LeaderEvent[] = [];
  readonly #ticker: Cancel;
  #state: LeaderState;
  #isStepping = false;
  #isOver = false;
  #serverBefore: QuiescentScrape | null = null;
  #finish: () => void = () => undefined;
  /** Resolves when nothing of the run is left to do; never rejects. */
  readonly ended = new Promise<void>((resolve) => {
    this.#finish = resolve;
  });

  constructor(options: RunDriverOptions) {
    const { deps, config, stored } = options;
    const { clock, http } = deps;
    this.#options = options;
    this.#refusalsBefore = options.refusals();
    this.#keeper = new RunKeeper({
      deps,
      run: stored.record.id,
      term: config.term,
      before: options.before,
      state: () => this.#state,
      isLeading: () => !this.#isOver && options.isLeading(),
      onConfirmed: () => this.#confirmed(),
      onRefusal: options.onRefusal,
      onTrouble: (error) => this.#trouble(error),
    });
    this.#scraper = new ServerScraper({
      plan: stored.record.plan,
      clock,
      http,
      onSample: (sample) => this.#keeper.journal.server(sample),
      onNote: (text) => this.#keeper.note(text),
    });
    this.#clocks = new ClockWatch({
      deps,
      agents: () => this.#state.shards,
      zeroUs: () => this.#state.record.start?.leaderUs,
      onRefusal: options.onRefusal,
      onCompared: (clocks) => this.#keeper.journal.add({ kind: "clocks", clocks }),
    });
    this.#writer = new RecordWriter({
      state: deps.transport.state,
      clock,
      stored,
      term: config.term,
      onWritten: (change, record) => this.#written(change, record),
      onRefusal: options.onRefusal,
      onLate: () => this.#dispatch({ kind: "late", nowUs: clock.nowUs() }),
      onStop: (stop) => this.#onStop(stop),
      isLeading: options.isLeading,
      onRestored: () => this.#keeper.note("the store had lost the run's record: it was written again"),
      onTaken: (why) => void this.#abandon(why),
      onUnwritable: (error) => this.abort(problemOf(error)),
      onFailure: (error) => options.onFailure(error),
    });
    const begin = options.before !== null ? resumeLeading : beginLeading;
    const first = begin(stored.record, config, clock.nowUs());
    this.#state = first.state;
    this.#thresholds = new ThresholdWatch({ plan: stored.record.plan, stages: first.state.stages, clock });
    this.#ticker = startTicker(clock, COORDINATOR_LIMITS.lookMs, () => this.look());
    this.#step(first);
  }

  get record(): RunRecord {
    return this.#writer.record;
  }

  /** Something may have changed that the run waits for. */
  look(): void {
    if (this.#isOver) return;
    const agents = this.#views();
    this.#keeper.fold?.expect(this.#ownViews(agents));
    const delivered = this.#keeper.fold?.delivered ?? NOBODY;
    this.#dispatch({ kind: "look", nowUs: this.#options.deps.clock.nowUs(), agents, delivered });
    this.#judge();
  }

  /** While nobody leads nobody judges: whoever leads next does, by all that was folded. */
  #judge(): void {
    const { fold } = this.#keeper;
    if (this.#state.step.kind !== "running" || fold === undefined) return;
    const problem = this.#thresholds.problemIn(fold.aggregate, this.#state.record);
    const nowUs = this.#options.deps.clock.nowUs();
    if (problem !== null) this.#dispatch({ kind: "troubled", nowUs, problem, isKeepingNothing: false });
  }

  /** Reads the record: has somebody asked the run to end? */
  refresh(): void {
    if (!this.#isOver) this.#writer.refresh();
  }

  /** A cut waits for nothing. */
  #onStop(stop: RunRecord["stop"]): void {
    if (stop.level === "cut") {
      this.#keeper.hurry();
      this.#clocks.hurry();
    }
    this.#dispatch({ kind: "stopped", nowUs: this.#options.deps.clock.nowUs(), stop });
  }

  /** Ends the run soon, with what is there. */
  abort(problem: Problem): void {
    this.#scraper.hurry();
    const nowUs = this.#options.deps.clock.nowUs();
    this.#dispatch({ kind: "troubled", nowUs, problem, isKeepingNothing: false });
  }

  /** Lets go of everything, whatever it is doing. May be called twice. */
  async dispose(): Promise<void> {
    this.#isOver = true;
    this.#ticker();
    this.#writer.close();
    this.#scraper.stopWatching();
    this.#scraper.hurry();
    this.#clocks.close();
    await this.#keeper.close();
    this.#finish();
  }

  /** The run's part of the beacon. */
  beacon(): Pick<Beacon, "run" | "state" | "revision" | "stop" | "confirmed" | "resend" | "givenUp"> {
    const { id, state, revision, stop } = this.record;
    const { fold } = this.#keeper;
    return {
      run: id,
      state,
      revision,
      stop: stop.level,
      confirmed: fold?.confirmed() ?? {},
      resend: fold === undefined || isTerminal(state) ? {} : fold.wanted(this.#views()),
      givenUp: [...givenUpAgents(this.#state)],
    };
  }

  /** No agent is in this run any more. */
  get isLeft(): boolean {
    return this.#ownViews(this.#views()).every((view) => view.run !== this.record.id);
  }

  liveUpdate(): LiveUpdate {
    const { deps } = this.#options;
    const nowUs = deps.clock.nowUs();
    const agents = this.#views();
    const own = this.#ownViews(agents);
    const delivered = this.#keeper.fold?.delivered ?? NOBODY;
    const unkept = this.#keeper.waitingForRoom;
    const isGathering = this.#state.step.kind === "gathering";
    return buildLiveUpdate({
      record: { ...this.record, problem: this.#state.record.problem },
      stages: this.#state.stages,
      transport: deps.transport.kind,
      // The run's time ends with its load, however long its results take.
      runTimeUs: this.#state.endUs > 0 ? this.#state.endUs : runTimeUs(this.record, nowUs),
      agents: isGathering ? candidatesFor(this.record, agents) : own,
      givenUp: [...this.#state.givenUp, ...openLosses(this.#state.record).map(({ agent }) => agent)],
      aggregate: this.#keeper.fold?.aggregate ?? null,
      server: this.#scraper.latest,
      notes: [
        ...(unkept === null ? [] : [`nothing is kept until there is room: ${unkept}`]),
        ...this.#keeper.journal.recentNotes(),
        ...silenceNotes(this.#state, agents),
        ...waitingNotes(this.#state, { nowUs, agents, delivered }),
      ],
    });
  }

  #views(): ReadonlyMap<string, AgentView> {
    return this.#options.registry.views(this.#options.deps.clock.nowUs());
  }

  /** Of the processes that were admitted. */
  #ownViews(agents: ReadonlyMap<string, AgentView>): AgentView[] {
    return this.#state.shards.flatMap(({ agent, instance }) => {
      const view = agents.get(agent);
      return view?.instance === instance ? [view] : [];
    });
  }

  /** One event after the other, also those that effects bring at once. */
  #dispatch(event: LeaderEvent): void {
    if (this.#isOver) return;
    this.#queue.push(event);
    if (this.#isStepping) return;
    this.#isStepping = true;
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
      this.#step(leadRun(this.#state, next));
    }
    this.#isStepping = false;
    if (event.kind !== "look") this.look();
  }

  #step({ state, effects }: Transition): void {
    const isNews = state.givenUp !== this.#state.givenUp || state.record.losses !== this.#state.record.losses;
    this.#state = state;
    for (const effect of effects) this.#carryOut(effect);
    if (isNews) this.#options.onChange();
  }

  #carryOut(effect: LeaderEffect): void {
    switch (effect.kind) {
      case "write":
        this.#writer.write(effect.change, effect.notAfterUs);
        break;
      case "probe":
        void this.#probe(effect);
        break;
      case "open":
        if (this.#options.before !== null) void this.#restore();
        else this.#keeper.open();
        break;
      case "drained":
        this.#keeper.journal.add({
          kind: "drained",
          endUs: effect.endUs,
          wallMs: this.#wallMsAt(effect.endUs),
        });
        this.#clocks.askLast();
        break;
      case "scrape":
        void this.#scrape(effect.when);
        break;
      case "watch-server":
        this.#watchServer();
        this.#clocks.watch();
        break;
      case "note":
        this.#keeper.note(effect.text);
        break;
      case "finish":
        void this.#finishRun();
        break;
      case "close":
        void this.#close();
    }
  }

  /** By the wall clock that the start was noted by: those of two leaders may differ by any amount. */
  #wallMsAt(runUs: number): number {
    const { start } = this.#state.record;
    if (start === null) return this.#options.deps.clock.wallMs();
    return Math.round((start.epochUs + runUs) / 1000);
  }

  #written(change: RecordChange, record: RunRecord): void {
    const { clock, logger } = this.#options.deps;
    if (change.fields.state !== undefined) {
      this.#keeper.journal.state(change.fields.state);
      logger.info(`run ${record.id} is ${record.state}`, { run: record.id });
    }
    this.#dispatch({ kind: "written", nowUs: clock.nowUs(), name: change.name });
    this.#options.onChange();
  }

  async #probe({ agents, then }: Extract<LeaderEffect, { kind: "probe" }>): Promise<void> {
    const { clock, transport, subjects } = this.#options.deps;
    const onRefusal = (error: LoadError) => this.#options.onRefusal(error.message);
    const untilUs = clock.nowUs() + COORDINATOR_LIMITS.resumeProbeMs * 1000;
    let offsets: ReadonlyMap<string, ClockComparison> = new Map();
    try {
      const limit = then === "resume" ? { untilUs } : {};
      offsets = await probeClocks(agents, { bus: transport.bus, subjects, clock, onRefusal, ...limit });
    } catch (error) {
      // A connection that has ended: nobody answers.
      if (!(error instanceof LoadError)) throw error;
    }
    this.#clocks.found(offsets);
    this.#dispatch({ kind: "probed", nowUs: clock.nowUs(), offsets });
    if (then === "resume" && this.#state.step.kind !== "probing") this.#noteLead();
  }

  /** From which run time on this leader leads, now that it knows. */
  #noteLead(): void {
    const { deps, config } = this.#options;
    const { clock, id } = deps;
    const runUs = runTimeUs(this.#state.record, clock.nowUs()) ?? null;
    this.#clocks.tellFound();
    this.#keeper.journal.add({ kind: "led", leader: id, term: config.term, wallMs: clock.wallMs(), runUs });
    this.#keeper.note(`coordinator ${id} has taken the run over (term ${config.term})`);
  }

  /** What the leader before has left. */
  async #restore(): Promise<void> {
    const found = await this.#keeper.reopen();
    if (found === undefined) return;
    const { serverBefore, serverAfter, drained } = found;
    this.#serverBefore = serverBefore ?? null;
    const { clock } = this.#options.deps;
    this.#dispatch({
      kind: "restored",
      nowUs: clock.nowUs(),
      endUs: drained?.endUs ?? 0,
      reachedUs: this.#keeper.fold?.reachedUs ?? 0,
      isScraped: serverAfter !== undefined,
    });
  }

  #confirmed(): void {
    this.look();
    this.#options.onChange();
  }

  /** Nothing can be kept, or nothing heard: the run is worth nothing. */
  #trouble(error: unknown): void {
    const problem = problemOf(error);
    const nowUs = this.#options.deps.clock.nowUs();
    this.#dispatch({ kind: "troubled", nowUs, problem, isKeepingNothing: true });
  }

  async #scrape(when: "before" | "after"): Promise<void> {
    const { clock } = this.#options.deps;
    const { journal } = this.#keeper;
    if (when === "before") {
      this.#noteReady();
      this.#serverBefore = await this.#scraper.quiescent();
      journal.add({ kind: "scrape", when, scrape: this.#serverBefore });
    } else {
      this.#scraper.stopWatching();
      const scrape = this.#serverBefore === null ? null : await this.#scraper.quiescent();
      if (!this.#isOver) journal.add({ kind: "scrape", when, scrape });
    }
    this.#dispatch({ kind: "scraped", nowUs: clock.nowUs(), when });
  }

  /** What the agents found; they still say it where the leader before died with it. */
  #noteReady(): void {
    const ready = this.#ownViews(this.#views())[0]?.ready ?? null;
    if (ready === null || this.#keeper.journal.findings().ready !== null) return;
    const { model, wordsPerToken, templateTokens, serverVersion } = ready;
    this.#keeper.journal.add({ kind: "ready", model, wordsPerToken, templateTokens, serverVersion });
  }

  #watchServer(): void {
    const { start } = this.#state.record;
    if (start !== null && this.#serverBefore !== null) this.#scraper.watch(start.leaderUs);
  }

  async #finishRun(): Promise<void> {
    this.#scraper.stopWatching();
    // The report speaks of the record as it will stand: a change that is still on its way is part of it.
    await Promise.all([this.#writer.settled(), this.#clocks.settled()]);
    if (this.#isOver) return;
    this.#noteReady();
    const refusals = this.#options.refusals() - this.#refusalsBefore;
    const finished = await this.#keeper.finish(this.record, refusals);
    this.#dispatch({ kind: "finished", nowUs: this.#options.deps.clock.nowUs(), ...finished });
  }

  async #close(): Promise<void> {
    const { logger } = this.#options.deps;
    this.#ticker();
    await this.#keeper.end(this.record);
    const { id, result, state, problem } = this.record;
    const fields = { run: id, state, directory: result?.directory };
    if (problem === null) logger.info(`run ${id} is over`, fields);
    else logger.warn(`run ${id} ended as ${state}: ${problem.message}`, fields);
    await this.dispose();
  }

  /** Somebody else has the run now: nothing more is written of it. */
  async #abandon(why: string): Promise<void> {
    this.#options.deps.logger.warn(`run ${this.record.id} is not led here any more: ${why}`);
    await this.dispose();
  }
}
