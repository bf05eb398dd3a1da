import {
  type AgentReady,
  type LeaderState,
  type QuiescentScrape,
  type RunRecord,
  runTimeUs,
  type ServerSample,
} from "@tokenstorm/core";
import type { CoordinatorDeps } from "./deps.js";
import { EventLines } from "./event-lines.js";
import { COORDINATOR_LIMITS } from "./limits.js";
import { highestSeqBy, ResultFold } from "./result-fold.js";
import { type RunDirectory, runDirectoryName } from "./run-directory.js";
import { type Finished, finishRun, problemOf } from "./run-finisher.js";

export interface RunKeeperOptions {
  readonly deps: CoordinatorDeps;
  /** As it stands now. */
  readonly state: () => LeaderState;
  readonly onConfirmed: () => void;
  readonly onRefusal: (reason: string) => void;
  /** Nothing can be kept, or nothing heard any more. */
  readonly onTrouble: (error: unknown) => void;
}

/** What the leader found out beside the results. */
export interface RunFindings {
  readonly ready: AgentReady | null;
  readonly serverBefore: QuiescentScrape | null;
  readonly serverAfter: QuiescentScrape | null;
  readonly endedAtMs: number | null;
  readonly refusals: number;
}

/** Keeps one run: its directory, the fold of its results into it, its events, its report. */
export class RunKeeper {
  readonly events: EventLines;
  readonly #options: RunKeeperOptions;
  readonly #samples: ServerSample[] = [];
  #opening: Promise<void> = Promise.resolve();
  #directory: RunDirectory | undefined;
  #fold: ResultFold | undefined;

  constructor(options: RunKeeperOptions) {
    this.#options = options;
    this.events = new EventLines(options.deps.clock);
  }

  /** Undefined before the agents are admitted. */
  get fold(): ResultFold | undefined {
    return this.#fold;
  }

  /** Makes the directory, and follows the results from the first on. */
  open(): void {
    this.#opening = this.#open();
  }

  sample(sample: ServerSample): void {
    if (this.#samples.length < COORDINATOR_LIMITS.serverSamples) this.#samples.push(sample);
    this.events.server(sample);
  }

  note(text: string): void {
    this.events.note(text);
    this.#options.deps.logger.info(text, { run: this.#options.state().record.id });
  }

  /** The verdict. Nothing, where no agent was ever admitted or there is no directory. */
  async finish(record: RunRecord, findings: RunFindings): Promise<Finished> {
    await this.#opening;
    const { deps, state } = this.#options;
    if (this.#directory === undefined || this.#fold === undefined) return { problem: null, result: null };
    return finishRun({
      ...findings,
      state: state(),
      record,
      fold: this.#fold,
      directory: this.#directory,
      blobs: deps.transport.blobs,
      transport: deps.transport.kind,
      version: deps.version,
      serverSamples: this.#samples,
    });
  }

  /** The record is terminal. Where the directory holds all there is, the log may forget the run. */
  async end(record: RunRecord): Promise<void> {
    await this.#fold?.flush();
    this.#fold?.close();
    // What is missing may still be in the log, and nowhere else.
    const isWhole = record.shards.every(({ agent }) => this.#fold?.delivered.has(agent) === true);
    const isSafe = isWhole && record.result !== null && record.problem?.code !== "RESULTS_UNREADABLE";
    if (isSafe && !this.#options.state().isKeepingNothing) await this.#purge(record.id);
  }

  /** Lets go of everything. May be called twice. */
  async close(): Promise<void> {
    await this.#opening;
    this.#fold?.close();
    try {
      await this.#directory?.close();
    } catch (error) {
      this.#options.deps.logger.warn("the run directory was not closed", {
        reason: problemOf(error).message,
      });
    }
  }

  async #open(): Promise<void> {
    const { deps, state, onConfirmed, onRefusal, onTrouble } = this.#options;
    const { stages, shards, record } = state();
    try {
      const directory = await deps.store.open(runDirectoryName(record));
      this.#directory = directory;
      await directory.writeFile("plan.yaml", deps.toYaml(record.plan));
      const fold = new ResultFold({
        run: record.id,
        stages,
        shards,
        clock: deps.clock,
        log: deps.transport.log,
        directory,
        highestSeq: () => highestSeqBy(record, runTimeUs(state().record, deps.clock.nowUs())),
        onConfirmed,
        onRefusal,
        onFailure: onTrouble,
        onNote: (text) => this.note(text),
      });
      this.#fold = fold;
      this.events.open((line) => fold.appendEvent(line));
      await fold.follow();
    } catch (error) {
      onTrouble(error);
    }
  }

  async #purge(run: string): Promise<void> {
    const { logger, transport } = this.#options.deps;
    for (let attempt = 1; attempt <= COORDINATOR_LIMITS.purgeAttempts; attempt += 1) {
      try {
        await transport.log.purge(run);
        return;
      } catch (error) {
        logger.warn("the log still holds a run that is over", { run, reason: problemOf(error).message });
      }
    }
  }
}
