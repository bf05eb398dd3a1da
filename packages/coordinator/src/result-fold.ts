import {
  type AgentView,
  type Aggregate,
  type Cancel,
  type Clock,
  checkEncoded,
  createAggregate,
  type Final,
  type KeptEvent,
  LoadError,
  type ResolvedStage,
  type RunRecord,
  type ShardAssignment,
  type Snapshot,
} from "@tokenstorm/core";
import {
  type Beacon,
  decodeEvent,
  decodeResult,
  LEADER_IN_LOG,
  type LogEntry,
  lineToResult,
  type ResultLog,
  type Subscription,
} from "@tokenstorm/protocol";
import { type DiskRoom, isDiskFull } from "./disk-room.js";
import { COORDINATOR_LIMITS } from "./limits.js";
import { ResendRequests } from "./resend-requests.js";
import type { RunDirectory } from "./run-directory.js";
import { pause } from "./ticker.js";

export const SNAPSHOT_FILE = "snapshots.ndjson";
export const EVENT_FILE = "events.ndjson";

export interface ResultFoldOptions {
  readonly run: string;
  readonly stages: readonly ResolvedStage[];
  readonly shards: readonly ShardAssignment[];
  readonly clock: Clock;
  readonly log: ResultLog;
  readonly directory: RunDirectory;
  readonly room: DiskRoom;
  /** Number of the highest interval that can have been cut by now; what claims more is refused. */
  readonly highestSeq: () => number;
  /** An entry of the log by a leader of this run. */
  readonly onEvent: (event: KeptEvent) => void;
  /** More is confirmed than before. */
  readonly onConfirmed: () => void;
  readonly onRefusal: (reason: string) => void;
  /** The directory takes nothing any more. */
  readonly onFailure: (error: LoadError) => void;
  readonly onNote: (text: string) => void;
}

/** What is on the disk of one agent: all intervals up to seq, and perhaps its final. */
type Confirmed = Beacon["confirmed"][string];

/**
 * Folds a run's results as the log brings them and keeps each as a line; confirms an interval only when it and all
 * before it are on the disk itself.
 */
export class ResultFold {
  readonly aggregate: Aggregate;
  readonly #options: ResultFoldOptions;
  readonly #finals = new Map<string, Final>();
  readonly #resend: ResendRequests;
  readonly #delivered = new Set<string>();
  readonly #gapsTold = new Map<string, string>();
  #confirmed: ReadonlyMap<string, Confirmed> = new Map();
  #subscription: Subscription | undefined;
  /** Ends the pause before the log is asked again. */
  #hurry: () => void = () => undefined;
  #syncing: Promise<void> | undefined;
  #timer: Cancel | undefined;
  #syncedAtUs = Number.NEGATIVE_INFINITY;
  #pendingBytes = 0;
  #isDirty = false;
  /** Of the last sync, where the disk was full; nothing is lost by it. */
  #full: LoadError | undefined;
  #failure: LoadError | undefined;
  #isFrozen = false;
  #isClosed = false;
  #reachedUs = 0;

  constructor(options: ResultFoldOptions) {
    this.#options = options;
    this.aggregate = createAggregate({ stages: options.stages, shards: options.shards });
    this.#resend = new ResendRequests(options.shards, this.aggregate);
  }

  /**
   * Folds what an earlier leader has kept. It counts as on the disk after the next sync: that leader may have died
   * before it came to that. Throws RESULTS_UNREADABLE.
   */
  async restore(lines: AsyncIterable<string>): Promise<void> {
    for await (const line of lines) {
      const result = lineToResult(line);
      if (result.kind === "snapshot") {
        if (this.aggregate.fold(result.snapshot) === "folded") this.#reach(result.snapshot);
      } else if (this.aggregate.foldFinal(result.final) === "folded")
        this.#finals.set(result.final.agent, result.final);
    }
    this.#isDirty = true;
    this.#schedule();
  }

  /**
   * Begins with the first result that the log has; while nobody answers it asks again, as for all else that it hears.
   * Throws BUS_UNAVAILABLE where that lasts for storeGiveUpMs, BUS_DENIED.
   */
  async follow(): Promise<void> {
    const { clock } = this.#options;
    const untilUs = clock.nowUs() + COORDINATOR_LIMITS.storeGiveUpMs * 1000;
    for (let tries = 1; !this.#isClosed; tries += 1) {
      try {
        await this.#subscribe();
        return;
      } catch (error) {
        const mayCome = error instanceof LoadError && error.code === "BUS_UNAVAILABLE";
        if (!mayCome || clock.nowUs() >= untilUs) throw error;
        if (tries === 1) this.#noteUnheard(error);
      }
      const { over, hurry } = pause(clock, COORDINATOR_LIMITS.storeRetryMs);
      this.#hurry = hurry;
      await over;
    }
  }

  async #subscribe(): Promise<void> {
    const { log, run } = this.#options;
    const subscription = await log.follow(run, (entry) => this.#take(entry), {
      onError: (error) => this.#noteUnheard(error),
    });
    if (this.#isClosed) subscription.close();
    else this.#subscription = subscription;
  }

  #noteUnheard(error: Error): void {
    this.#options.onNote(`the results cannot be followed at the moment: ${error.message}`);
  }

  /** What the agents' heartbeats say that they cut: at least so much is expected of them. */
  expect(agents: Iterable<AgentView>): void {
    if (this.#isFrozen) return;
    const highest = this.#options.highestSeq();
    for (const view of agents) {
      this.aggregate.expectAtLeast(view.agent, view.epoch, Math.min(view.lastCut, highest));
      if (view.gaps !== undefined && this.#isNewGap(view)) {
        const gaps = view.gaps.map(({ from, to }) => ({ from, to: Math.min(to, highest) }));
        this.aggregate.giveUp(view.agent, view.epoch, gaps);
        // A watermark may have passed something.
        this.#isDirty = true;
        this.#schedule();
      }
    }
  }

  /** Heartbeats repeat what an agent has given up. */
  #isNewGap({ agent, gaps }: AgentView): boolean {
    const told = JSON.stringify(gaps);
    if (this.#gapsTold.get(agent) === told) return false;
    this.#gapsTold.set(agent, told);
    return true;
  }

  /** A line for events.ndjson. */
  appendEvent(line: string): void {
    this.#append(EVENT_FILE, line);
  }

  /** Run time at which the latest result ends, us. */
  get reachedUs(): number {
    return this.#reachedUs;
  }

  /**
   * The verdict speaks of what is in by now: what comes later is left to the log, and to whoever adds it by hand. Else
   * the directory would hold more than its report knows. Events are still taken.
   */
  freeze(): void {
    this.#isFrozen = true;
  }

  /** By agent; for the beacon. */
  confirmed(): Beacon["confirmed"] {
    return Object.fromEntries(this.#confirmed);
  }

  /** Agents whose final and all intervals are on the disk. */
  get delivered(): ReadonlySet<string> {
    return this.#delivered;
  }

  /** What the log acknowledged and never showed, by agent; for the beacon. */
  wanted(agents: ReadonlyMap<string, AgentView>): Beacon["resend"] {
    const nowUs = this.#options.clock.nowUs();
    return this.#resend.wanted({ nowUs, agents, hasFinal: (agent) => this.#finals.has(agent) });
  }

  finals(): ReadonlyMap<string, Final> {
    return this.#finals;
  }

  /** Why nothing more is kept; undefined while all is. */
  get failure(): LoadError | undefined {
    return this.#failure;
  }

  /** Resolves when all that was appended is on the disk, or cannot get there. Waits for room where the disk is full. */
  async flush(): Promise<void> {
    try {
      await this.#options.room.wait(() => this.#flushOnce());
    } catch (error) {
      if (!isDiskFull(error)) throw error;
      if (!this.#isClosed) this.#fail(error);
    }
  }

  async #flushOnce(): Promise<void> {
    while ((this.#isDirty || this.#syncing !== undefined) && this.#failure === undefined && !this.#isClosed) {
      this.#timer?.();
      this.#timer = undefined;
      await (this.#syncing ?? this.#sync());
      if (this.#full !== undefined) throw this.#full;
    }
  }

  /** Follows nothing any more. May be called twice. */
  close(): void {
    this.#isClosed = true;
    this.#hurry();
    this.#subscription?.close();
    this.#timer?.();
  }

  #take(entry: LogEntry): void {
    if (this.#isClosed) return;
    try {
      if (entry.kind === "event") {
        if (entry.agent === LEADER_IN_LOG) this.#options.onEvent(decodeEvent(entry.data));
        return;
      }
      if (entry.kind !== "snapshot" && entry.kind !== "final") throw refused(`no result: ${entry.kind}`);
      if (this.#isFrozen) return;
      const { result, line } = decodeResult(entry.kind, entry.data);
      const body = result.kind === "snapshot" ? result.snapshot : result.final;
      // The subject is what permissions pin an agent to; the body is what it says.
      if (body.agent !== entry.agent || body.run !== this.#options.run)
        throw refused(`of ${body.agent}, not its own`);
      const seq = result.kind === "snapshot" ? result.snapshot.seq : result.final.lastSeq;
      if (seq > this.#options.highestSeq()) throw refused(`interval ${seq} has not been yet`);
      if (result.kind === "snapshot") checkHistograms(result.snapshot);
      const folded =
        result.kind === "snapshot"
          ? this.aggregate.fold(result.snapshot)
          : this.aggregate.foldFinal(result.final);
      if (folded === "duplicate") return;
      if (folded === "foreign")
        throw refused(`${body.agent} with epoch ${body.epoch} has no part in this run`);
      if (result.kind === "final") this.#finals.set(body.agent, result.final);
      else this.#reach(result.snapshot);
      this.#append(SNAPSHOT_FILE, line);
    } catch (error) {
      if (!(error instanceof LoadError)) throw error;
      this.#options.onRefusal(`a ${entry.kind.slice(0, 20)} of ${entry.agent}: ${error.message}`);
    }
  }

  #reach({ toUs }: Snapshot): void {
    this.#reachedUs = Math.max(this.#reachedUs, toUs);
  }

  #append(file: string, line: string): void {
    if (this.#failure !== undefined || this.#isClosed) return;
    this.#pendingBytes += line.length;
    if (this.#pendingBytes > COORDINATOR_LIMITS.pendingBytes) {
      this.#fail(this.#full ?? tooSlow(this.#options.directory.path, this.#pendingBytes));
      return;
    }
    this.#options.directory.appendLine(file, line);
    this.#isDirty = true;
    this.#schedule();
  }

  #schedule(): void {
    if (this.#syncing !== undefined || this.#timer !== undefined || this.#failure !== undefined) return;
    const { clock } = this.#options;
    const pauseMs = this.#full === undefined ? COORDINATOR_LIMITS.syncMs : COORDINATOR_LIMITS.diskRetryMs;
    const dueUs = Math.max(clock.nowUs(), this.#syncedAtUs + pauseMs * 1000);
    this.#timer = clock.at(dueUs, () => {
      this.#timer = undefined;
      if (this.#syncing === undefined) void this.#sync();
    });
  }

  #sync(): Promise<void> {
    this.#syncing = this.#syncOnce().finally(() => {
      this.#syncing = undefined;
      if (this.#isDirty && !this.#isClosed) this.#schedule();
    });
    return this.#syncing;
  }

  async #syncOnce(): Promise<void> {
    this.#syncedAtUs = this.#options.clock.nowUs();
    this.#isDirty = false;
    const bytes = this.#pendingBytes;
    // Taken before: only what was appended by now is on the disk when the sync is done.
    const marks = this.#marks();
    try {
      await this.#options.directory.sync();
    } catch (error) {
      if (!(error instanceof LoadError)) throw error;
      if (isDiskFull(error)) this.#holdBack(error);
      else this.#fail(error);
      return;
    }
    this.#full = undefined;
    this.#options.room.written();
    this.#pendingBytes -= bytes;
    this.#confirm(marks);
  }

  #marks(): ReadonlyMap<string, Confirmed> {
    return new Map(
      this.#options.shards.map(({ agent, epoch }) => [
        agent,
        { epoch, seq: this.aggregate.contiguous(agent), final: this.#finals.has(agent) },
      ]),
    );
  }

  #confirm(marks: ReadonlyMap<string, Confirmed>): void {
    let isMore = false;
    for (const [agent, mark] of marks) {
      const before = this.#confirmed.get(agent);
      if (before === undefined || before.seq < mark.seq || (mark.final && !before.final)) isMore = true;
      const lastSeq = this.#finals.get(agent)?.lastSeq;
      if (mark.final && lastSeq !== undefined && mark.seq >= lastSeq) this.#delivered.add(agent);
    }
    this.#confirmed = marks;
    if (isMore) this.#options.onConfirmed();
  }

  /** The run goes on: the log has what agents deliver, and nothing is confirmed until it is on the disk. */
  #holdBack(error: LoadError): void {
    this.#full = error;
    this.#isDirty = true;
    this.#options.room.full(error);
  }

  #fail(error: LoadError): void {
    if (this.#failure !== undefined) return;
    this.#failure = error;
    this.#options.onFailure(error);
  }
}

/** Before anything of it is folded: half a snapshot could not be taken out again. */
function checkHistograms({ blocks }: Snapshot): void {
  for (const { histograms, targets = [] } of blocks) {
    for (const encoded of Object.values(histograms)) checkEncoded(encoded);
    for (const part of targets) for (const encoded of Object.values(part.histograms)) checkEncoded(encoded);
  }
}

/** Number of the highest interval that an agent can have cut at this run time. */
export function highestSeqBy(record: Pick<RunRecord, "plan">, runTimeUs: number | undefined): number {
  const intervals = Math.max(0, runTimeUs ?? 0) / (record.plan.intervalMs * 1000);
  return Math.ceil(intervals) + SEQ_SLACK;
}

/** Agents cut by their own clocks, and once more when they finish. */
const SEQ_SLACK = 60;

function tooSlow(path: string, pendingBytes: number): LoadError {
  const bytes = `${Math.round(pendingBytes / 2 ** 20)} MiB wait`;
  return new LoadError("RESULTS_UNREADABLE", `the disk of ${path} is too slow: ${bytes}`, {
    hint: "use a faster disk (--out), or a longer intervalMs",
  });
}

function refused(why: string): LoadError {
  return new LoadError("PROTOCOL_MALFORMED", why);
}
