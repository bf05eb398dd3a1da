import {
  type AgentEffect,
  type AgentEvent,
  type AgentMachine,
  type Cancel,
  IDLE_AGENT,
  LoadError,
  orphanMsOf,
  type RunRecord,
  stepAgent,
  type Vitals,
} from "@tokenstorm/core";
import type { Beacon } from "@tokenstorm/protocol";
import {
  AGENT_DEFAULTS,
  type Agent,
  type AgentDeps,
  type AgentExit,
  type AgentOptions,
} from "./agent-deps.js";
import { AgentLink } from "./agent-link.js";
import { refuseTakenId, takenIdError } from "./identity.js";
import { Leadership } from "./leadership.js";
import { RecordReader } from "./record-reader.js";
import { NO_RUN_FACTS, ShardRun } from "./run/shard-run.js";
import { TermProof } from "./term-proof.js";

/** An agent; see `Agent`. Touches nothing of the world but `deps`. */
export function createAgent(deps: AgentDeps): Agent {
  return new AgentProcess(deps);
}

/**
 * After the last moment at which a leader commits a start, and well before the last at which it can be heeded; more than
 * once, for a read may hang.
 */
const LAST_READS_BEFORE_US = [450_000, 350_000, 250_000] as const;

/**
 * A record that is not in the StateStore means that its run is over only after so long: whoever leads a run writes its
 * record again where a store has lost it, and so does whoever takes over from one that still could.
 */
const ABSENT_US = 20_000_000;

/** How the process ends, once nothing of a run is left. */
interface Ending {
  readonly error: unknown;
}

class AgentProcess implements Agent {
  readonly #deps: AgentDeps;
  readonly #options: AgentOptions;
  readonly #leadership: Leadership;
  readonly #proof: TermProof;
  readonly #reader: RecordReader;
  readonly #link: AgentLink;
  readonly #ended: Promise<AgentExit>;
  #end: (exit: AgentExit) => void = () => undefined;
  #fail: (error: unknown) => void = () => undefined;
  #machine: AgentMachine = IDLE_AGENT;
  #run: ShardRun | null = null;
  #tick: Cancel | undefined;
  #lastRead: Cancel | undefined;
  #ending: Ending | null = null;
  #hasEnded = false;
  #vitals: Vitals | null = null;
  #beats = 0;
  #isStateUnavailable = false;
  /** Since when the record of its run has not been in the StateStore; null while it is. */
  #absentSinceUs: number | null = null;
  /** Runs whose results nobody has confirmed, or not all of them. */
  readonly #undelivered = new Set<string>();
  readonly #spooled: string[] = [];

  constructor(deps: AgentDeps) {
    this.#deps = deps;
    this.#options = {
      ...AGENT_DEFAULTS,
      descriptorLimit: deps.vitals.descriptorLimit,
      ...deps.options,
    };
    this.#leadership = new Leadership(deps.clock.nowUs());
    this.#link = new AgentLink({
      deps,
      onBeacon: (beacon) => this.#hearBeacon(beacon),
      // Without a connection nothing can be delivered: there is nothing to wait for.
      onBroken: (error) => this.#endWith({ error }, error.code === "BUS_UNAVAILABLE"),
    });
    this.#proof = new TermProof({
      state: deps.state,
      onProven: (beacon, arrivedUs) => this.#heedProven(beacon, arrivedUs),
      onRefuted: (error) => this.#link.refuse(error),
      onBug: (error) => this.#endWith({ error }, true),
    });
    this.#reader = new RecordReader({
      state: deps.state,
      onRecord: (record, isLate) => this.#heedRecord(record, isLate),
      onAbsent: (run) => this.#heedAbsence(run),
      onMalformed: (error) => this.#link.refuse(error),
      onUnavailable: (error) => this.#stateUnavailable(error),
      onBug: (error) => this.#endWith({ error }, true),
    });
    this.#ended = new Promise((resolve, reject) => {
      this.#end = resolve;
      this.#fail = reject;
    });
    // Whoever calls `run` hears of it; `close` alone must not make it an unhandled rejection.
    this.#ended.catch(() => undefined);
  }

  async run(): Promise<AgentExit> {
    try {
      await refuseTakenId(this.#deps, (error) => this.#link.refuse(error));
      if (!this.#hasEnded) this.#serve();
    } catch (error) {
      this.#endWith({ error }, true);
    }
    return this.#ended;
  }

  async close(options: { readonly now?: boolean } = {}): Promise<void> {
    this.#endWith({ error: null }, options.now === true);
    await this.#ended.catch(() => undefined);
  }

  #serve(): void {
    const { id, instance, logger } = this.#deps;
    this.#link.open();
    if (this.#hasEnded) return;
    logger.info("agent is ready for runs", { agent: id, instance });
    this.#beat();
  }

  #hearBeacon(beacon: Beacon): void {
    const arrivedUs = this.#deps.clock.nowUs();
    if (this.#leadership.isRepeated(beacon)) this.#link.refuse(repeated(`a beacon of ${beacon.leader}`));
    else if (this.#leadership.isClaim(beacon)) this.#proof.ask(beacon, arrivedUs);
    else this.#heedBeacon(beacon, arrivedUs);
  }

  /** Later ones of the same leader may have been heeded while the store was asked. */
  #heedProven(beacon: Beacon, arrivedUs: number): void {
    if (!this.#leadership.isRepeated(beacon)) this.#heedBeacon(beacon, arrivedUs);
  }

  #heedBeacon(beacon: Beacon, arrivedUs: number): void {
    const { id, instance } = this.#deps;
    // Whoever was silent for too long has been given up by now, whatever is still on its way to say otherwise.
    this.#lookForLeader();
    const { leader: leaderBefore, term: termBefore } = this.#leadership;
    if (!this.#leadership.heed(beacon, { nowUs: arrivedUs, run: this.#machine.run })) return;
    if (beacon.refused.includes(instance)) {
      this.#endWith({ error: takenIdError(id, "as another process") }, true);
      return;
    }
    const isOurRun = beacon.run !== null && beacon.run === this.#machine.run;
    if (isOurRun) {
      this.#run?.heed(beacon);
      if (beacon.stop !== "none") this.#dispatch({ kind: "stop", level: beacon.stop, problem: null });
      if (beacon.givenUp.includes(id)) this.#stopSending("the leader has given this agent up");
    } else if (beacon.run !== null) this.#dispatch({ kind: "led-elsewhere" });
    // A leader that has just begun, or begun again, need not wait for the next second to know who is there.
    if (beacon.leaderInstance !== leaderBefore || beacon.term !== termBefore) this.#sendHeartbeat();
    this.#catchUp();
  }

  /** Reads the records that say more than what was acted on. */
  #catchUp(): void {
    if (this.#hasEnded) return;
    const { run } = this.#machine;
    const nowUs = this.#deps.clock.nowUs();
    // Without a leader's word the StateStore's is the only one: a run can be stopped while nobody leads.
    if (run !== null && !this.#leadership.speaksOf(run, nowUs)) this.#reader.read(run);
    else {
      const behind = this.#leadership.behind();
      if (behind !== null) this.#reader.read(behind);
    }
  }

  #heedRecord(record: RunRecord, isLate: boolean): void {
    if (this.#isStateUnavailable) this.#deps.logger.info("the StateStore can be read again");
    this.#isStateUnavailable = false;
    this.#absentSinceUs = null;
    const { run, revision } = this.#machine;
    if (record.id === run && record.revision < revision) {
      if (!isLate) this.#link.refuse(repeated(`an earlier record of run ${run}`));
      return;
    }
    this.#leadership.acted(record);
    // Whoever is about to leave takes no new run.
    if (this.#ending !== null && this.#machine.run === null) return;
    this.#dispatch({ kind: "record", record, nowUs: this.#deps.clock.nowUs() });
  }

  #heedAbsence(run: string): void {
    if (run !== this.#machine.run) return;
    const nowUs = this.#deps.clock.nowUs();
    // Whoever leads it knows more than a store that was begun anew.
    if (this.#leadership.speaksOf(run, nowUs)) this.#absentSinceUs = null;
    else this.#absentSinceUs ??= nowUs;
    if (this.#absentSinceUs === null || nowUs - this.#absentSinceUs < ABSENT_US) return;
    this.#absentSinceUs = null;
    this.#dispatch({ kind: "forgotten" });
  }

  #dispatch(event: AgentEvent): void {
    const before = this.#machine;
    const { machine, effects } = stepAgent(before, event, this.#deps);
    this.#machine = machine;
    if (machine.state !== before.state) this.#tellState(before);
    if (machine.armedAttempt !== before.armedAttempt) this.#readBeforeStart();
    for (const effect of effects) this.#carryOut(effect);
    if (hasChanged(before, machine)) this.#sendHeartbeat();
    this.#endIfFree();
  }

  /** The leader commits no later than 500 ms before time zero; the beacon that tells of it may not come. */
  #readBeforeStart(): void {
    this.#lastRead?.();
    this.#lastRead = undefined;
    const { state, record } = this.#machine;
    const atUs = record?.start?.localUs[this.#deps.id];
    if (state !== "armed" || record === null || atUs === undefined) return;
    this.#readAgain(record.id, { atUs, beforeUs: LAST_READS_BEFORE_US });
  }

  #readAgain(run: string, when: { readonly atUs: number; readonly beforeUs: readonly number[] }): void {
    const { atUs } = when;
    const [nextUs, ...beforeUs] = when.beforeUs;
    if (nextUs === undefined) return;
    this.#lastRead = this.#deps.clock.at(atUs - nextUs, () => {
      this.#lastRead = undefined;
      if (this.#machine.isCommitted || this.#machine.run !== run) return;
      this.#reader.readNow(run);
      this.#readAgain(run, { atUs, beforeUs });
    });
  }

  #carryOut(effect: AgentEffect): void {
    switch (effect.kind) {
      case "prepare":
        this.#run?.release();
        this.#run = this.#openRun(effect);
        this.#run.carryOut(effect);
        return;
      case "start":
        this.#leadership.began({
          term: effect.record.term,
          leaderUs: effect.leaderUs,
          localUs: effect.atUs,
        });
        this.#run?.carryOut(effect);
        return;
      case "release":
        this.#run?.release();
        this.#run = null;
        return;
      default:
        this.#run?.carryOut(effect);
    }
  }

  #openRun({ record, place }: Extract<AgentEffect, { kind: "prepare" }>): ShardRun {
    const run: ShardRun = new ShardRun({
      deps: this.#deps,
      agentOptions: this.#options,
      record,
      place,
      onEvent: (event) => {
        if (this.#run === run) this.#dispatch(event);
      },
      onStageDone: () => {
        if (this.#run === run) this.#sendHeartbeat();
      },
      onSpooled: (file) => this.#spooled.push(file),
      onUndelivered: () => this.#undelivered.add(record.id),
      onDelivered: () => this.#undelivered.delete(record.id),
      unled: () => this.#leadership.silences(this.#deps.clock.nowUs()),
      mayOffer: () => this.#silentUs(record) <= orphanMsOf(record.plan) * 1000,
      onBug: (error) => this.#endWith({ error }, true),
    });
    return run;
  }

  #beat(): void {
    const { clock } = this.#deps;
    this.#tick = clock.at(clock.nowUs() + this.#options.heartbeatMs * 1000, () => this.#beat());
    this.#readVitals();
    this.#sendHeartbeat();
    this.#lookForLeader();
    // A leader may not know yet what it has written, where the store's answer was lost: a stage may begin meanwhile.
    const { run } = this.#machine;
    if (run !== null && this.#run?.isAwaitingStage === true) this.#reader.read(run);
    else this.#catchUp();
  }

  /** During a run the recorder reads them, once an interval. */
  #readVitals(): void {
    if (this.#run?.isUnderWay === true) this.#vitals = this.#run.vitals ?? this.#vitals;
    else {
      const openSockets = this.#run?.openSockets ?? 0;
      this.#vitals = { ...this.#deps.vitals.read(), openSockets, scheduleLagP99Us: 0, coalescedShare: 0 };
    }
  }

  /** Whoever hears no leader for too long stops sending, and keeps what it has. */
  #lookForLeader(): void {
    const { state, record } = this.#machine;
    if (state !== "running" || record === null) return;
    const silentUs = this.#silentUs(record);
    if (silentUs <= orphanMsOf(record.plan) * 1000) return;
    this.#stopSending(`no leader was heard for ${Math.round(silentUs / 1000)} ms`);
  }

  /** Under reshard others send a lost agent's keys from the time on at which it has stopped for sure: nothing may put that off. */
  #silentUs({ plan }: RunRecord): number {
    const nowUs = this.#deps.clock.nowUs();
    return plan.lossPolicy === "reshard" ? this.#leadership.unledUs(nowUs) : this.#leadership.silentUs(nowUs);
  }

  #stopSending(why: string): void {
    this.#dispatch({
      kind: "stop",
      level: "drain",
      problem: { code: "AGENT_LOST", message: `stopped sending: ${why}` },
    });
  }

  #sendHeartbeat(): void {
    const { id, instance, host, pid, version, cores, labels, capacity } = this.#deps;
    const { state, run, place, revision, armedAttempt, problem } = this.#machine;
    this.#beats += 1;
    this.#link.say({
      seq: this.#beats,
      agent: id,
      instance,
      host,
      pid,
      version,
      cores,
      labels,
      state,
      run,
      epoch: place?.epoch ?? 0,
      revision,
      beaconSeq: this.#leadership.beaconSeq,
      term: this.#leadership.term,
      armedAttempt,
      ...(this.#run?.facts() ?? NO_RUN_FACTS),
      vitals: this.#vitals,
      problem: problem ?? this.#run?.problem ?? null,
      refusals: this.#link.refusals,
      ...(capacity === undefined ? {} : { capacity }),
    });
  }

  #tellState(before: AgentMachine): void {
    const { state, run, problem } = this.#machine;
    const fields = { run: run ?? before.run, from: before.state };
    if (state === "failed")
      this.#deps.logger.error(problem?.message ?? "failed", { ...fields, hint: problem?.hint });
    else if (problem !== null && before.problem === null) this.#deps.logger.warn(problem.message, fields);
    else this.#deps.logger.info(`agent is ${state}`, fields);
  }

  #stateUnavailable(error: LoadError): void {
    if (!this.#isStateUnavailable)
      this.#deps.logger.warn(`the run's state could not be read: ${error.message}`, { code: error.code });
    this.#isStateUnavailable = true;
  }

  /** Leaves as soon as nothing of a run is left; `now` cuts that short. The first error stays. */
  #endWith(ending: Ending, now: boolean): void {
    if (this.#hasEnded) return;
    this.#ending = this.#ending?.error != null ? this.#ending : ending;
    this.#dispatch({
      kind: "stop",
      level: now ? "cut" : "drain",
      problem: { code: "RUN_ABORTED", message: "the agent was stopped" },
    });
    if (now) this.#run?.carryOut({ kind: "hurry-delivery" });
    this.#endIfFree();
  }

  #endIfFree(): void {
    if (this.#ending === null || this.#hasEnded || !IS_FREE[this.#machine.state]) return;
    this.#hasEnded = true;
    const { error } = this.#ending;
    this.#finish().then(
      () => (error === null ? this.#end(this.#exit()) : this.#fail(error)),
      (failure) => this.#fail(failure),
    );
  }

  async #finish(): Promise<void> {
    this.#tick?.();
    this.#lastRead?.();
    this.#reader.close();
    this.#proof.close();
    this.#run?.release();
    this.#run = null;
    await this.#link.close();
  }

  #exit(): AgentExit {
    return { code: this.#undelivered.size > 0 ? 1 : 0, spooled: [...this.#spooled] };
  }
}

function repeated(what: string): LoadError {
  return new LoadError("PROTOCOL_MALFORMED", `${what}, said before`);
}

/** States in which nothing would be lost by leaving. */
const IS_FREE: Readonly<Record<AgentMachine["state"], boolean>> = {
  idle: true,
  preparing: false,
  ready: false,
  armed: false,
  running: false,
  draining: false,
  delivering: false,
  done: true,
  failed: true,
};

function hasChanged(before: AgentMachine, after: AgentMachine): boolean {
  return (
    before.state !== after.state ||
    before.run !== after.run ||
    before.revision !== after.revision ||
    before.armedAttempt !== after.armedAttempt ||
    before.problem !== after.problem
  );
}
