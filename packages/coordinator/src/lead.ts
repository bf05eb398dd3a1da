import { AgentRegistry, type Cancel, isTerminal, LoadError } from "@tokenstorm/core";
import {
  type Beacon,
  decodeBeacon,
  decodeHeartbeat,
  encodeBeacon,
  encodeLive,
  type Heartbeat,
  type Subscription,
} from "@tokenstorm/protocol";
import type { CoordinatorDeps } from "./deps.js";
import { COORDINATOR_LIMITS } from "./limits.js";
import { sweepLog } from "./log-sweep.js";
import { RunDriver, type RunDriverOptions } from "./run-driver.js";
import { RunQueue, type StoredRun } from "./run-queue.js";
import { pause, startTicker } from "./ticker.js";

/** Epochs of a term; more admissions than this in one term are a bug. */
const EPOCHS_PER_TERM = 1_000_000;

export interface LeadTerm {
  readonly term: number;
  /** Asked before anything that only a leader may do. */
  readonly isValid: () => boolean;
  /** Somebody speaks under a higher term. */
  readonly onRival: () => void;
  /** An agent has followed a higher term, and ignores this leader. */
  readonly onFollowed: (term: number) => void;
  /** The store refuses what a coordinator needs. */
  readonly onFailure: (error: LoadError) => void;
}

/** A coordinator while it leads: hears agents, tells everyone, and leads one run after the other. */
export class Lead {
  readonly #deps: CoordinatorDeps;
  readonly #term: LeadTerm;
  readonly #registry = new AgentRegistry();
  readonly #queue: RunQueue;
  readonly #sinceUs: number;
  readonly #epochOffsetUs: number;
  readonly #subscriptions: Subscription[] = [];
  readonly #tickers: Cancel[] = [];
  #driver: RunDriver | undefined;
  /** Who last said to have followed a higher term, without being in the run. */
  #followed: { readonly agent: string; readonly term: number } | null = null;
  #beaconSeq = 0;
  #admissions = 0;
  #refusals = 0;
  #isReading = false;
  #isReadAgain = false;
  #sweepsAtUs = Number.NEGATIVE_INFINITY;
  #hintTimer: Cancel | undefined;
  #isOver = false;
  /** Subjects on which something could not be published; each is told once. */
  readonly #unsent = new Set<string>();

  constructor(deps: CoordinatorDeps, term: LeadTerm) {
    const { clock, transport, logger, subjects } = deps;
    this.#deps = deps;
    this.#term = term;
    this.#queue = new RunQueue(transport.state, logger);
    this.#sinceUs = clock.nowUs();
    this.#epochOffsetUs = clock.wallMs() * 1000 - clock.nowUs();
    this.#subscriptions.push(
      transport.bus.subscribe(subjects.heartbeats, ({ subject, data }) => this.#onHeartbeat(subject, data)),
      transport.bus.subscribe(subjects.beacon, ({ data }) => this.#onBeacon(data)),
      transport.bus.subscribe(subjects.hint, () => this.#onHint()),
    );
    this.#tickers.push(
      startTicker(clock, COORDINATOR_LIMITS.beaconMs, () => this.#beacon()),
      startTicker(clock, COORDINATOR_LIMITS.readMs, () => void this.#read()),
      startTicker(clock, COORDINATOR_LIMITS.liveMs, () => this.#live()),
    );
    this.#beacon();
    logger.info(`leading as ${deps.id}, term ${term.term}`);
    deps.onLeading?.(term.term);
    void this.#read();
  }

  /** Ends the run that is led, within some seconds, with what is there. */
  async close(): Promise<void> {
    const driver = this.#driver;
    if (driver !== undefined && !this.#isOver && !isTerminal(driver.record.state)) {
      const message = "the coordinator was closed while it led the run";
      driver.abort({ code: "RUN_ABORTED", message });
      const limit = pause(this.#deps.clock, COORDINATOR_LIMITS.closeMs);
      await Promise.race([driver.ended, limit.over]);
      limit.hurry();
    }
    await this.drop();
  }

  /** Lets go of everything as it is: another one goes on with it. May be called twice. */
  async drop(): Promise<void> {
    this.#isOver = true;
    for (const subscription of this.#subscriptions) subscription.close();
    for (const cancel of this.#tickers) cancel();
    this.#hintTimer?.();
    await this.#driver?.dispose();
  }

  #onHeartbeat(subject: string, data: Uint8Array): void {
    const { clock, subjects } = this.#deps;
    try {
      const heartbeat = decodeHeartbeat(data);
      if (subject !== subjects.heartbeat(heartbeat.agent)) throw spoofed(subject, heartbeat.agent);
      const { isNews, isStale = false } = this.#registry.heard(heartbeat, clock.nowUs());
      if (isStale) throw repeated(heartbeat.agent);
      if (isNews) this.#driver?.look();
      this.#heedTerm(heartbeat);
    } catch (error) {
      this.#refuse(error);
    }
  }

  /**
   * Another one leads, or the store has lost a term. A heartbeat is a claim that interrupts the lead: it counts where it comes
   * from a process of the run, or two agents say as much.
   */
  #heedTerm({ agent, instance, term }: Heartbeat): void {
    if (term <= this.#term.term) return;
    const isOfRun = this.#driver?.record.shards.some(
      (one) => one.agent === agent && one.instance === instance,
    );
    const other = this.#followed;
    if (isOfRun === true) this.#term.onFollowed(term);
    else if (other === null || other.agent === agent || other.term <= this.#term.term)
      this.#followed = { agent, term };
    else this.#term.onFollowed(Math.min(term, other.term));
  }

  #onBeacon(data: Uint8Array): void {
    const { clock, instance } = this.#deps;
    try {
      const beacon = decodeBeacon(data);
      if (beacon.leaderInstance === instance) this.#registry.beaconReturned(clock.nowUs());
      // A beacon is a claim; the store knows.
      else if (beacon.term > this.#term.term) this.#term.onRival();
    } catch (error) {
      this.#refuse(error);
    }
  }

  /** Hints may come in any number: they make one reading. */
  #onHint(): void {
    if (this.#hintTimer !== undefined || this.#isOver) return;
    const { clock } = this.#deps;
    this.#hintTimer = clock.at(clock.nowUs() + COORDINATOR_LIMITS.hintPauseMs * 1000, () => {
      this.#hintTimer = undefined;
      void this.#read();
    });
  }

  /** A garbled message is counted and named some times, and changes nothing. */
  #refuse(error: unknown): void {
    if (!(error instanceof LoadError)) throw error;
    this.#countRefusal(error.message);
  }

  #countRefusal(reason: string): void {
    this.#refusals += 1;
    if (this.#refusals <= COORDINATOR_LIMITS.warnedRefusals) {
      this.#deps.logger.warn(`refused a message: ${reason}`, { refusals: this.#refusals });
    }
  }

  #beacon(): void {
    if (this.#isOver || !this.#term.isValid()) return;
    const { id, instance, clock, subjects } = this.#deps;
    this.#beaconSeq += 1;
    const ofRun = this.#driver?.beacon() ?? NO_RUN;
    const beacon: Beacon = {
      term: this.#term.term,
      leader: id,
      leaderInstance: instance,
      seq: this.#beaconSeq,
      leaderUs: clock.nowUs(),
      refused: this.#registry.refused(),
      refusals: this.#refusals,
      ...ofRun,
    };
    this.#publish(subjects.beacon, () => encodeBeacon(beacon));
  }

  #live(): void {
    const driver = this.#driver;
    if (driver === undefined || this.#isOver || !this.#term.isValid()) return;
    this.#publish(this.#deps.subjects.live(driver.record.id), () => encodeLive(driver.liveUpdate()));
  }

  /** What cannot be sent, being too large, is not worth the run. */
  #publish(subject: string, encode: () => Uint8Array): void {
    try {
      this.#deps.transport.bus.publish(subject, encode());
    } catch (error) {
      if (!(error instanceof LoadError)) throw error;
      if (!this.#unsent.has(subject))
        this.#deps.logger.warn(`cannot publish on ${subject}: ${error.message}`);
      this.#unsent.add(subject);
    }
  }

  /** Looks for stops, or for a run to lead. One reading at a time; what is asked for meanwhile makes one more. */
  async #read(): Promise<void> {
    if (this.#isReading) {
      this.#isReadAgain = true;
      return;
    }
    this.#isReading = true;
    do {
      this.#isReadAgain = false;
      try {
        await this.#readOnce();
      } catch (error) {
        if (!(error instanceof LoadError)) throw error;
        if (error.code === "BUS_DENIED") this.#term.onFailure(error);
        else this.#deps.logger.warn(`the state store cannot be read: ${error.message}`);
      }
    } while (this.#isReadAgain && !this.#isOver);
    this.#isReading = false;
  }

  async #readOnce(): Promise<void> {
    if (this.#isOver) return;
    if (this.#driver !== undefined) return this.#driver.refresh();
    const { term } = this.#term;
    const open = await this.#queue.open();
    // What another one led comes first: its agents are waiting.
    const begun = open.find(({ record }) => record.state !== "submitted" && record.term <= term);
    const next = begun ?? open.find(({ record }) => record.state === "submitted");
    if (next === undefined) return this.#sweep();
    const isTakenOver = next.record.shards.length > 0;
    const stored = isTakenOver ? await this.#queue.takeOver(next, { term, leader: this.#deps.id }) : next;
    if (stored === undefined || this.#isOver || !this.#term.isValid()) return;
    const { leader, term: termBefore } = next.record;
    this.#drive(stored, isTakenOver ? { leader, term: termBefore } : null);
  }

  /**
   * The log forgets what another one did not come to purge, and what one that was replaced has still put there: such an
   * append may come at any time.
   */
  async #sweep(): Promise<void> {
    const nowUs = this.#deps.clock.nowUs();
    if (nowUs < this.#sweepsAtUs) return;
    await sweepLog(this.#deps);
    this.#sweepsAtUs = nowUs + COORDINATOR_LIMITS.sweepMs * 1000;
  }

  #drive(stored: StoredRun, before: RunDriverOptions["before"]): void {
    this.#admissions += 1;
    const driver = new RunDriver({
      deps: this.#deps,
      config: {
        term: this.#term.term,
        leader: this.#deps.id,
        epoch: this.#term.term * EPOCHS_PER_TERM + this.#admissions,
        epochOffsetUs: this.#epochOffsetUs,
        listeningSinceUs: this.#sinceUs,
      },
      stored,
      before,
      isLeading: () => !this.#isOver && this.#term.isValid(),
      registry: this.#registry,
      onChange: () => this.#beacon(),
      onRefusal: (reason) => this.#countRefusal(reason),
      refusals: () => this.#refusals,
      onFailure: (error) => this.#term.onFailure(error),
    });
    this.#driver = driver;
    // Its agents may have heard nobody for long.
    this.#beacon();
    this.#live();
    void driver.ended.then(() => this.#linger(driver));
  }

  /** The end is told for a while, so that agents and viewers hear of it; then comes the next run. */
  async #linger(driver: RunDriver): Promise<void> {
    const { clock } = this.#deps;
    const untilUs = clock.nowUs() + COORDINATOR_LIMITS.lingerMs * 1000;
    this.#beacon();
    this.#live();
    while (!this.#isOver && !driver.isLeft && clock.nowUs() < untilUs) {
      await pause(clock, COORDINATOR_LIMITS.lookMs).over;
    }
    if (this.#driver !== driver) return;
    this.#driver = undefined;
    if (this.#isOver) return;
    this.#tellEnd(driver, untilUs);
    this.#beacon();
    void this.#read();
  }

  /** Viewers who lost a message see the end all the same. */
  #tellEnd(driver: RunDriver, untilUs: number): void {
    const { clock, subjects } = this.#deps;
    const update = driver.liveUpdate();
    const stop = startTicker(clock, COORDINATOR_LIMITS.liveMs, () => {
      if (clock.nowUs() >= untilUs) stop();
      if (!this.#isOver) this.#publish(subjects.live(driver.record.id), () => encodeLive(update));
    });
    this.#tickers.push(stop);
  }
}

const NO_RUN = {
  run: null,
  state: null,
  revision: 0,
  stop: "none",
  confirmed: {},
  resend: {},
  givenUp: [],
} as const satisfies Partial<Beacon>;

function repeated(agent: string): LoadError {
  return new LoadError("PROTOCOL_MALFORMED", `a heartbeat of ${agent} that was said before`);
}

function spoofed(subject: string, agent: string): LoadError {
  return new LoadError("PROTOCOL_MALFORMED", `a heartbeat of ${agent} on ${subject}`);
}
