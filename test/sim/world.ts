import { isTerminal, PlanSchema, type RunRecord } from "@tokenstorm/core";
import { decodeRunRecord, type LogEntry, runKey, submitRun } from "@tokenstorm/protocol";
import { seededRandom, VirtualClock } from "@tokenstorm/testkit";
import { type Coverage, Happenings } from "./coverage.js";
import { FaultMaker } from "./fault-maker.js";
import { FAULT_STATES, type Fault, type FaultState, type Planned } from "./faults.js";
import { agentName, NAMES, Processes } from "./processes.js";
import { drawScenario, type Scenario } from "./scenario.js";
import { Watch } from "./watch.js";

export const RUN = "r1";

/** A record that was not in the store for so long is written by nobody any more. */
const FORGOTTEN_US = 60_000_000;
/** A takeover, and the time after which a leader looks through the log again. */
const PURGE_LIMIT_US = 90_000_000;
const BEGIN_US = 1_000_000_000;
/** So much further on begins the second sequence of a seed's choices. */
const LATER = 1_000_000_007;
const ASKED_AGAIN = "their clocks are asked again";
const RUN_ENDS = [
  ["completed", "runs completed"],
  ["failed", "runs failed"],
  ["aborted", "runs aborted"],
] as const;

/** One run of a cluster in virtual time, with the faults that its seed has planned. */
export class World {
  readonly scenario: Scenario;
  readonly clock = new VirtualClock({ nowUs: BEGIN_US, turns: 1 });
  readonly processes: Processes;
  readonly watch: Watch;
  readonly happenings = new Happenings();
  /** All that the log ever had, as an onlooker sees it. */
  readonly log: LogEntry[] = [];
  /** Results as they were handed over first, by what they are. */
  readonly frozen = new Map<string, string>();
  readonly lines: string[] = [];
  /** The last that the store had. */
  record: RunRecord | undefined;
  /** The store has lost the record, and nobody could write it again. */
  isForgotten = false;
  /** True time from the submission until the run was over, or was waited for no longer. */
  tookUs = 0;
  readonly #faults: FaultMaker;
  readonly #seen = new Set<string>();
  #leads = 0;
  #absentSinceUs: number | undefined;
  #revision = 0;
  #state: FaultState | undefined;

  constructor(seed: number) {
    const random = seededRandom(seed);
    const { clock, happenings, log } = this;
    this.scenario = drawScenario(random, seededRandom(seed + LATER));
    this.watch = new Watch({
      run: RUN,
      subjects: NAMES,
      mayGiveUp: this.scenario.retainBytes === 1,
      mayForget: this.scenario.faults.some(({ fault }) => fault.kind === "wipe-state"),
      onRecord: (record) => this.#see(record),
      onReplaced: () => happenings.count("beacons of a replaced leader"),
    });
    const processes = new Processes({
      clock,
      random,
      scenario: this.scenario,
      watch: this.watch,
      happenings,
      say: (text) => this.#say(text),
      onLead: () => this.#lead(),
    });
    this.processes = processes;
    this.#faults = new FaultMaker({ run: RUN, clock, processes, happenings, log, state: () => this.#state });
  }

  coverage(): Coverage {
    const { happenings, record } = this;
    const { spooled, truth, counts } = this.processes;
    happenings.count("spooled results", spooled.length);
    happenings.count("requests failed", truth.filter(({ outcome }) => outcome === "failed").length);
    happenings.count("clocks asked again", this.lines.filter((line) => line.includes(ASKED_AGAIN)).length);
    happenings.count("agents gone on without", record?.losses?.length ?? 0);
    happenings.count(
      "agents found again",
      record?.losses?.filter(({ foundUs }) => foundUs !== null).length ?? 0,
    );
    happenings.count("shards taken over", record?.moves?.length ?? 0);
    const end = RUN_ENDS.find(([state]) => state === record?.state);
    if (end !== undefined) happenings.count(end[1]);
    return happenings.coverage(counts);
  }

  /** From the submission to the end of the run, or to the deadline in virtual time; and some seconds more. */
  async run(deadlineMs: number): Promise<void> {
    const { scenario, clock } = this;
    await this.processes.direct.log.follow(RUN, (entry) => this.log.push(entry));
    for (let i = 0; i <= scenario.standbys; i += 1)
      this.processes.startCoordinator(`c${i + 1}`, `host-c${i + 1}`);
    for (let i = 0; i < scenario.agents; i += 1) this.processes.startAgent(agentName(i));
    await clock.advanceByAsync(200_000);
    const submission = {
      plan: PlanSchema.parse(scenario.plan),
      id: RUN,
      salt: "s",
      createdAtMs: clock.wallMs(),
    };
    await submitRun({ transport: this.processes.direct, subjects: NAMES }, submission);
    const submittedUs = clock.nowUs();
    const untilUs = submittedUs + deadlineMs * 1000;
    while (clock.nowUs() < untilUs && !this.isForgotten) {
      if (this.record !== undefined && isTerminal(this.record.state)) break;
      await clock.advanceByAsync(20_000);
      await this.#look();
    }
    this.tookUs = clock.nowUs() - submittedUs;
    await clock.advanceByAsync(8_000_000);
    await this.#look();
    // Whoever ended it may have been stopped before it purged the log: the next one does.
    const purgedBy = clock.nowUs() + PURGE_LIMIT_US;
    while (this.record?.result?.isWhole === true && clock.nowUs() < purgedBy && (await this.leftInLog()) > 0)
      await clock.advanceByAsync(1_000_000);
  }

  async report(): Promise<string | undefined> {
    const name = this.record?.result?.reportBlob ?? null;
    const data = name === null ? undefined : await this.processes.direct.blobs.get(name);
    return data === undefined ? undefined : new TextDecoder().decode(data);
  }

  async leftInLog(): Promise<number> {
    return (await this.processes.direct.log.runs()).length;
  }

  /** Those that ended by themselves, with why. */
  ended(): string[] {
    return this.processes.all.flatMap(({ name, ended }) =>
      ended === undefined ? [] : [`${name}: ${String(ended)}`],
    );
  }

  async #look(): Promise<void> {
    const entry = await this.processes.direct.state.get(runKey(RUN));
    const nowUs = this.clock.nowUs();
    if (entry !== undefined) this.#absentSinceUs = undefined;
    else if (this.record !== undefined) {
      this.#absentSinceUs ??= nowUs;
      this.isForgotten = nowUs - this.#absentSinceUs > FORGOTTEN_US;
    }
    if (entry === undefined || entry.revision === this.#revision) return;
    this.#revision = entry.revision;
    this.record = decodeRunRecord(entry.value);
    this.#see(this.record);
  }

  /** What was planned for a state happens as soon as that is seen. */
  #see(record: RunRecord): void {
    const { state } = record;
    this.watch.see(record);
    this.#state = FAULT_STATES.find((one) => one === state);
    if (this.#seen.has(state)) return;
    this.#seen.add(state);
    this.#trigger(state);
  }

  #trigger(what: Planned["state"] | RunRecord["state"]): void {
    for (const { state, afterMs, fault } of this.scenario.faults) {
      if (state === what) this.clock.at(this.clock.nowUs() + afterMs * 1000, () => this.#make(fault));
    }
  }

  #make(fault: Fault): void {
    this.#say(`** ${JSON.stringify(fault)}`);
    this.#faults.make(fault);
  }

  #lead(): void {
    this.#leads += 1;
    if (this.#leads === 1) return;
    this.happenings.count("takeovers");
    if (this.#state !== undefined) this.happenings.count(`taken over in ${this.#state}`);
    if (this.#leads === 2) this.#trigger("taken over");
  }

  #say(text: string): void {
    this.lines.push(`${((this.clock.nowUs() - BEGIN_US) / 1e6).toFixed(3)} ${text}`);
  }
}
