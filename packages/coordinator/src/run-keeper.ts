import {
  type KeptEvent,
  type LeaderState,
  longestRunUs,
  type RunFindings,
  type RunRecord,
  runTimeUs,
} from "@tokenstorm/core";
import { lineToEvent } from "@tokenstorm/protocol";
import type { CoordinatorDeps } from "./deps.js";
import { DiskRoom, isDiskFull } from "./disk-room.js";
import { COORDINATOR_LIMITS } from "./limits.js";
import { EVENT_FILE, highestSeqBy, ResultFold, SNAPSHOT_FILE } from "./result-fold.js";
import { isThere, type RunDirectory, runDirectoryName } from "./run-directory.js";
import { type Finished, finishRun, problemOf } from "./run-finisher.js";
import { RunJournal } from "./run-journal.js";
import { pause } from "./ticker.js";

export interface RunKeeperOptions {
  readonly deps: CoordinatorDeps;
  readonly run: string;
  readonly term: number;
  /** Who led it before, by its record; null where nobody did. */
  readonly before: { readonly leader: string; readonly term: number } | null;
  /** As it stands now. */
  readonly state: () => LeaderState;
  readonly isLeading: () => boolean;
  readonly onConfirmed: () => void;
  readonly onRefusal: (reason: string) => void;
  /** Nothing can be kept, or nothing heard any more. */
  readonly onTrouble: (error: unknown) => void;
}

/** Keeps one run: its directory, the fold of its results into it, what its leader notes, its report. */
export class RunKeeper {
  readonly journal: RunJournal;
  readonly #room: DiskRoom;
  readonly #options: RunKeeperOptions;
  #opening: Promise<void> = Promise.resolve();
  #directory: RunDirectory | undefined;
  #fold: ResultFold | undefined;
  #isClosed = false;
  /** There was no room for it. */
  #isPlanMissing = false;
  /** The log has shown the entry with which this leader began, and so all that it held then. */
  #caughtUp: () => void = () => undefined;

  constructor(options: RunKeeperOptions) {
    const { deps, run, term, isLeading } = options;
    this.#options = options;
    this.#room = new DiskRoom({ ...deps, onNote: (text) => this.note(text) });
    this.journal = new RunJournal({ run, term, clock: deps.clock, log: deps.transport.log, isLeading });
  }

  /** Undefined before the agents are admitted. */
  get fold(): ResultFold | undefined {
    return this.#fold;
  }

  /** Makes the directory, and follows the results from the first on. */
  open(): void {
    this.#opening = this.#troubled(() => this.#open());
  }

  /**
   * Opens what an earlier leader left, or begins anew where its disk is not here, and folds all that the log holds.
   * Undefined where that was not possible; then `onTrouble` has been told.
   */
  async reopen(): Promise<RunFindings | undefined> {
    let findings: RunFindings | undefined;
    this.#opening = this.#troubled(async () => {
      findings = await this.#reopen();
    });
    await this.#opening;
    return findings;
  }

  /** What keeps results from being kept at the moment, for those who watch. */
  get waitingForRoom(): string | null {
    return this.#room.waiting;
  }

  /** Room on the disk is waited for no longer. */
  hurry(): void {
    this.#room.giveUp();
  }

  note(text: string): void {
    this.journal.note(text);
    this.#options.deps.logger.info(text, { run: this.#options.run });
  }

  /** The verdict. Nothing, where no agent was ever admitted or there is no directory. */
  async finish(record: RunRecord, refusals: number): Promise<Finished> {
    await this.#opening;
    const { deps, state, term, isLeading } = this.#options;
    if (this.#directory === undefined || this.#fold === undefined) return { problem: null, result: null };
    const directory = this.#directory;
    if (this.#isPlanMissing) await this.#tryPlan(directory);
    return finishRun({
      state: state(),
      record,
      term,
      fold: this.#fold,
      journal: this.journal,
      directory,
      room: this.#room,
      blobs: deps.transport.blobs,
      transport: deps.transport.kind,
      version: deps.version,
      refusals,
      isLeading,
    });
  }

  /** The record is terminal. Where the directory holds all there is, the log may forget the run. */
  async end(record: RunRecord): Promise<void> {
    // The report is written: a note that finds no room must not keep the coordinator from its next run.
    this.#room.giveUp();
    await Promise.all([this.#fold?.flush(), this.journal.flush()]);
    this.#fold?.close();
    this.journal.close();
    // What is missing may still be in the log, and nowhere else.
    if (record.result?.isWhole === true) await this.#purge(record.id);
  }

  /** Lets go of everything. May be called twice. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#room.giveUp();
    this.#caughtUp();
    this.journal.close();
    // Before what is being opened is waited for: it may wait for the log.
    this.#fold?.close();
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

  async #troubled(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.#options.onTrouble(error);
    }
  }

  async #open(): Promise<void> {
    const { deps, state } = this.#options;
    const name = runDirectoryName(state().record);
    let directory: RunDirectory;
    try {
      directory = await deps.store.open(name);
    } catch (error) {
      if (!isThere(error) || !(await this.#isEmpty(name))) throw error;
      // A leader that was replaced, or died, before the store had its admission.
      await this.#reopen();
      return;
    }
    this.#directory = directory;
    await this.#writePlan(directory);
    const fold = this.#createFold(directory);
    this.#begin(fold);
    await fold.follow();
  }

  /** No result is in it. */
  async #isEmpty(name: string): Promise<boolean> {
    const directory = await this.#options.deps.store.reopen(name);
    try {
      for await (const _ of directory.readLines(SNAPSHOT_FILE)) return false;
      return true;
    } finally {
      await directory.close();
    }
  }

  async #reopen(): Promise<RunFindings> {
    const { deps, state } = this.#options;
    const { record } = state();
    const directory = await this.#room.wait(() => deps.store.reopen(runDirectoryName(record)));
    this.#directory = directory;
    const fold = this.#createFold(directory);
    for await (const line of directory.readLines(EVENT_FILE)) {
      const kept = lineToEvent(line);
      if (kept !== undefined) this.journal.restore(kept);
    }
    await fold.restore(directory.readLines(SNAPSHOT_FILE));
    // Another host's disk has none of it. A full one must not keep the run from going on.
    await this.#writePlan(directory).catch((error: unknown) => {
      if (!isDiskFull(error)) throw error;
      this.#isPlanMissing = true;
    });
    const { over, hurry } = pause(deps.clock, COORDINATOR_LIMITS.restoreMs);
    this.#caughtUp = hurry;
    if (this.#isClosed) hurry();
    this.#begin(fold);
    await fold.follow();
    await over;
    this.journal.caughtUp();
    return this.#nameBefore();
  }

  async #tryPlan(directory: RunDirectory): Promise<void> {
    try {
      await this.#room.wait(() => this.#writePlan(directory));
    } catch (error) {
      // The report that comes next fails for the same reason, and says so.
      if (!isDiskFull(error)) throw error;
    }
  }

  async #writePlan(directory: RunDirectory): Promise<void> {
    const { deps, state } = this.#options;
    await directory.writeFile("plan.yaml", await deps.toYaml(state().record.plan));
  }

  /** A leader that died before it could note that it led is known by the record all the same. */
  #nameBefore(): RunFindings {
    const { before, deps } = this.#options;
    const findings = this.journal.findings();
    if (before === null || findings.led.some(({ term }) => term === before.term)) return findings;
    this.journal.add({ kind: "led", ...before, wallMs: deps.clock.wallMs(), runUs: null });
    return this.journal.findings();
  }

  #begin(fold: ResultFold): void {
    const { deps, term } = this.#options;
    this.#fold = fold;
    this.journal.open((line) => fold.appendEvent(line));
    this.journal.add({ kind: "led", leader: deps.id, term, wallMs: deps.clock.wallMs(), runUs: null });
  }

  #createFold(directory: RunDirectory): ResultFold {
    const { deps, state, onConfirmed, onRefusal, onTrouble } = this.#options;
    const { stages, shards, record } = state();
    return new ResultFold({
      run: record.id,
      stages,
      shards,
      clock: deps.clock,
      log: deps.transport.log,
      directory,
      room: this.#room,
      highestSeq: () => this.#highestSeq(),
      onEvent: (kept) => this.#take(kept),
      onConfirmed,
      onRefusal,
      onFailure: onTrouble,
      onNote: (text) => this.note(text),
    });
  }

  /** While run time is not known, the plan bounds it: a wall clock may be wrong by any amount. */
  #highestSeq(): number {
    const { deps, state } = this.#options;
    const { record, stages, step, isTimeKnown } = state();
    const isResuming = step.kind === "restoring" || (step.kind === "probing" && step.then === "resume");
    const isKnown = isTimeKnown && !isResuming;
    const timeUs = isKnown ? runTimeUs(record, deps.clock.nowUs()) : longestRunUs(record.plan, stages);
    return highestSeqBy(record, timeUs);
  }

  #take(kept: KeptEvent): void {
    // Nobody leads under a higher term as long as this one does: somebody has forged it. Under its own term there may have
    // been another leader where the store was wiped, and a run taken over from that one.
    const { term, before, onRefusal } = this.#options;
    const isNoted = kept.term < term || before !== null || this.journal.hasNoted(kept.seq);
    const isForged = kept.term > term || !isNoted;
    if (isForged) {
      onRefusal(`an event of term ${kept.term} that no leader noted: ${kept.seq}`);
      return;
    }
    this.journal.take(kept);
    if (kept.term === term) this.#caughtUp();
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
