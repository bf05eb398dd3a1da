import { type RunRecord, type StopLevel, strongerStop } from "@tokenstorm/core";
import {
  type Beacon,
  decodeBeacon,
  decodeHeartbeat,
  decodeRunRecord,
  type Heartbeat,
  runKey,
  type Subjects,
  type Transport,
} from "@tokenstorm/protocol";
import type { FaultyDisk, ProcessClock } from "@tokenstorm/testkit";
import { SyncedResults } from "./kept.js";

export interface WatchOptions {
  readonly run: string;
  readonly subjects: Subjects;
  /** Intervals may be confirmed that agents have given up: which they are is not known here. */
  readonly mayGiveUp: boolean;
  /** Somebody makes the store forget everything: terms may be used again by whoever knows of none. */
  readonly mayForget: boolean;
  readonly onRecord: (record: RunRecord) => void;
  /** An agent hears, in the run, a leader of a lower term than it follows. */
  readonly onReplaced: () => void;
}

/** Hears what processes say and write, and what of it must never be. */
export class Watch {
  readonly violations: string[] = [];
  readonly #options: WatchOptions;
  readonly #synced = new Map<FaultyDisk, SyncedResults>();
  /** By instance, while it is in the run. */
  readonly #terms = new Map<string, number>();
  /** What each agent's process said last. */
  readonly #said = new Map<string, Pick<Heartbeat, "run" | "state">>();
  readonly #tookPart = new Set<string>();
  /** By instance: intervals that it has said it holds no more. */
  readonly #gaps = new Map<string, Set<number>>();
  readonly #leaders = new Map<number, string>();
  #highestTerm = 0;
  #stop: RunRecord["stop"] = { level: "none", reason: "" };
  #committed = false;

  constructor(options: WatchOptions) {
    this.#options = options;
  }

  /** The record as the store has it. */
  see(record: RunRecord): void {
    this.#committed ||= record.start?.committed === true;
    this.#stop = strongerStop(this.#stop, record.stop);
  }

  /** The strongest stop that has stood in the store. */
  get stop(): StopLevel {
    return this.#stop.level;
  }

  /** What this process said last: which run it is in, and how far it is. */
  said(instance: string): Pick<Heartbeat, "run" | "state"> | undefined {
    return this.#said.get(instance);
  }

  /** Intervals that this process has ever said it has given up. */
  gaps(instance: string): ReadonlySet<number> {
    return this.#gaps.get(instance) ?? new Set();
  }

  /** Processes that ever said that they are in the run. */
  get tookPart(): ReadonlySet<string> {
    return this.#tookPart;
  }

  /** Only the committed start starts anyone; an agent sends 200 ms after it has read it, at the least. */
  sent(agent: string, id: string): void {
    if (!this.#committed) this.violations.push(`${agent} sends ${id} though no start was committed`);
  }

  coordinator(
    transport: Transport,
    at: { readonly clock: ProcessClock; readonly disk: FaultyDisk },
  ): Transport {
    const { run, subjects, onRecord } = this.#options;
    const publish: Transport["bus"]["publish"] = (subject, data) => {
      if (subject === subjects.beacon && !at.clock.isDead) this.#onBeacon(decodeBeacon(data), at.disk);
      transport.bus.publish(subject, data);
    };
    const compareAndSet: Transport["state"]["compareAndSet"] = async (key, value, expected) => {
      const revision = await transport.state.compareAndSet(key, value, expected);
      // Some states last for milliseconds: whoever writes them is watched.
      if (revision !== undefined && key === runKey(run)) onRecord(decodeRunRecord(value));
      return revision;
    };
    return {
      ...transport,
      bus: { ...transport.bus, publish },
      state: { ...transport.state, compareAndSet },
    };
  }

  agent(instance: string, bus: Transport["bus"], clock: ProcessClock): Transport["bus"] {
    const { subjects, onReplaced } = this.#options;
    return {
      ...bus,
      subscribe: (pattern, handler) =>
        bus.subscribe(pattern, (message) => {
          const followed = this.#terms.get(instance) ?? 0;
          if (pattern === subjects.beacon && decodeBeacon(message.data).term < followed) onReplaced();
          handler(message);
        }),
      publish: (subject, data) => {
        if (subject.startsWith(subjects.heartbeats.slice(0, -1)) && !clock.isDead)
          this.#onHeartbeat(instance, decodeHeartbeat(data));
        bus.publish(subject, data);
      },
    };
  }

  #onHeartbeat(instance: string, { run, state, term, gaps = [] }: Heartbeat): void {
    this.#said.set(instance, { run, state });
    if (state === "running" && !this.#committed)
      this.violations.push(`${instance} is running though no start was committed`);
    if (run !== this.#options.run) {
      this.#terms.delete(instance);
      return;
    }
    this.#tookPart.add(instance);
    this.#onTerm(instance, term);
    const known = this.#gaps.get(instance) ?? new Set();
    for (const { from, to } of gaps) for (let seq = from; seq <= to; seq += 1) known.add(seq);
    this.#gaps.set(instance, known);
  }

  /** Nobody may speak under a term once a higher one has been spoken under. */
  #onBeacon({ term, leader, leaderInstance, confirmed }: Beacon, disk: FaultyDisk): void {
    const before = this.#leaders.get(term) ?? leaderInstance;
    if (before !== leaderInstance && !this.#options.mayForget)
      this.violations.push(`${leaderInstance} speaks under term ${term}, which is that of ${before}`);
    this.#leaders.set(term, leaderInstance);
    if (term < this.#highestTerm)
      this.violations.push(`${leader} speaks under term ${term} after ${this.#highestTerm}`);
    this.#highestTerm = Math.max(this.#highestTerm, term);
    this.#checkConfirmed(leader, confirmed, disk);
  }

  /** What a leader confirms is on its disk itself: else agents forget what the next leader lacks. */
  #checkConfirmed(leader: string, confirmed: Beacon["confirmed"], disk: FaultyDisk): void {
    if (this.#options.mayGiveUp) return;
    const synced = this.#synced.get(disk) ?? new SyncedResults(disk);
    this.#synced.set(disk, synced);
    for (const [agent, { seq }] of Object.entries(confirmed)) {
      const there = synced.through(agent);
      if (there < seq)
        this.violations.push(`${leader} confirms ${agent} up to ${seq}, its disk has ${there}`);
    }
  }

  /** In one run an agent heeds no leader who has been replaced. */
  #onTerm(instance: string, term: number): void {
    const before = this.#terms.get(instance) ?? 0;
    if (term < before) this.violations.push(`${instance} follows term ${term} after ${before}`);
    this.#terms.set(instance, term);
  }
}
