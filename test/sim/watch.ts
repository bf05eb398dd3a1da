import { type RunRecord, type StopLevel, strongerStop } from "@tokenstorm/core";
import {
  type Beacon,
  decodeBeacon,
  decodeHeartbeat,
  decodeRunRecord,
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
  /** By agent, while it is in the run. */
  readonly #terms = new Map<string, number>();
  /** The run that each agent said last that it is in. */
  readonly #runs = new Map<string, { readonly run: string | null; readonly clock: ProcessClock }>();
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

  /** Living agents that are still in the run, by what they said last. */
  inRun(): string[] {
    return [...this.#runs].flatMap(([agent, { run, clock }]) =>
      run === this.#options.run && !clock.isDead ? [agent] : [],
    );
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

  agent(name: string, bus: Transport["bus"], clock: ProcessClock): Transport["bus"] {
    const { run, subjects, onReplaced } = this.#options;
    return {
      ...bus,
      subscribe: (pattern, handler) =>
        bus.subscribe(pattern, (message) => {
          const followed = this.#terms.get(name) ?? 0;
          if (pattern === subjects.beacon && decodeBeacon(message.data).term < followed) onReplaced();
          handler(message);
        }),
      publish: (subject, data) => {
        if (subject.startsWith(subjects.heartbeats.slice(0, -1)) && !clock.isDead) {
          const heartbeat = decodeHeartbeat(data);
          this.#runs.set(heartbeat.agent, { run: heartbeat.run, clock });
          if (heartbeat.state === "running" && !this.#committed)
            this.violations.push(`${heartbeat.agent} is running though no start was committed`);
          if (heartbeat.run === run) this.#onTerm(heartbeat.agent, heartbeat.term);
          else this.#terms.delete(heartbeat.agent);
        }
        bus.publish(subject, data);
      },
    };
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
  #onTerm(agent: string, term: number): void {
    const before = this.#terms.get(agent) ?? 0;
    if (term < before) this.violations.push(`${agent} follows term ${term} after ${before}`);
    this.#terms.set(agent, term);
  }
}
