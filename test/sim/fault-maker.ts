import { decodeSnapshot, encodeSnapshot, LEADER_KEY, type LogEntry, stopRun } from "@tokenstorm/protocol";
import type { VirtualClock } from "@tokenstorm/testkit";
import type { Happenings } from "./coverage.js";
import type { Fault, FaultState } from "./faults.js";
import { agentName, NAMES, type Processes } from "./processes.js";

export interface FaultMakerOptions {
  readonly run: string;
  readonly clock: VirtualClock;
  readonly processes: Processes;
  readonly happenings: Happenings;
  /** All that the log ever had. */
  readonly log: readonly LogEntry[];
  /** What the run is at, as far as faults are planned for it. */
  readonly state: () => FaultState | undefined;
}

/** A closed coordinator is started again by its host after so long. */
const CLOSED_US = 10_000_000;

/** Does to a cluster what its scenario has planned. */
export class FaultMaker {
  readonly #options: FaultMakerOptions;

  constructor(options: FaultMakerOptions) {
    this.#options = options;
  }

  make(fault: Fault): void {
    const { clock, processes, happenings } = this.#options;
    const { agents, leader, direct } = processes;
    const agent = "agent" in fault ? processes.named(fault.agent) : undefined;
    const after = (ms: number) => clock.nowUs() + ms * 1000;
    switch (fault.kind) {
      case "kill-leader":
        if (fault.withLease) this.#deleteLease();
        this.#killLeader(fault.backMs);
        return;
      case "pause-leader":
        leader?.clock.pauseUntil(after(fault.forMs));
        happenings.count("leaders paused");
        return;
      case "close-leader":
        this.#closeLeader();
        return;
      case "pause-agent":
        agent?.clock.pauseUntil(after(fault.forMs));
        happenings.count("agents paused");
        return;
      case "partition":
        processes.named(fault.of)?.link.cut(fault.direction, after(fault.forMs));
        return;
      case "silence-leader":
        leader?.link.cut("out", after(fault.forMs));
        return;
      case "cut-agents":
        for (const { link } of agents) link.cut("both", after(fault.forMs));
        happenings.count("all agents cut off");
        return;
      case "restart-nats":
        processes.cutAll(after(fault.forMs));
        happenings.count("NATS restarts");
        return;
      case "kill-agent":
        agent?.clock.kill();
        happenings.count("agents killed");
        return;
      case "restart-agent":
        this.#restartAgent(fault);
        return;
      case "start-agent":
        this.#startAgent();
        return;
      case "stop":
        happenings.count("stops");
        void this.#stop(fault.level);
        return;
      case "wipe-state":
        happenings.count("state stores wiped");
        void this.#forget("");
        return;
      case "delete-lease":
        this.#deleteLease();
        return;
      case "wipe-log":
        happenings.count("logs wiped");
        void direct.log.purge(this.#options.run);
        return;
      case "fill-log":
        processes.fillLog(after(fault.forMs));
        happenings.count("logs filled");
        return;
      case "fill-disk":
        if (leader === undefined) return;
        processes.disks.get(leader.host)?.fillUntil(after(fault.forMs));
        happenings.count("disks filled");
        return;
      case "other-epoch":
        void this.#appendOfOtherEpoch(agentName(fault.agent));
        return;
      case "step-wall":
        happenings.count("wall clocks stepped");
        processes.named(fault.of)?.clock.stepWall(fault.byMs);
    }
  }

  /** Whoever stops a run may be too late, and hears of it. */
  async #stop(level: "drain" | "cut"): Promise<void> {
    const { run, processes, happenings, state } = this.#options;
    if (processes.leader?.clock.isDead === true && state() !== undefined)
      happenings.count("stopped while nobody led");
    const stop = { run, level, reason: "stopped by the simulation" };
    await stopRun({ transport: processes.direct, subjects: NAMES }, stop).catch(() => undefined);
  }

  #deleteLease(): void {
    this.#options.happenings.count("leases deleted");
    void this.#forget(LEADER_KEY);
  }

  async #forget(prefix: string): Promise<void> {
    const { state } = this.#options.processes.direct;
    for (const key of await state.keys(prefix)) await state.delete(key);
  }

  /** As if a process of an earlier admission had gone on: intervals after the last that the log has of the agent. */
  async #appendOfOtherEpoch(agent: string): Promise<void> {
    const { log, processes, happenings } = this.#options;
    const last = log.findLast((entry) => entry.kind === "snapshot" && entry.agent === agent);
    if (last === undefined) return;
    happenings.count("results of another epoch");
    const snapshot = decodeSnapshot(last.data);
    for (let more = 1; more <= 3; more += 1) {
      const other = { ...snapshot, epoch: snapshot.epoch - 1, seq: snapshot.seq + more };
      const { run, epoch, seq } = other;
      const id = { run, agent, epoch, kind: "snapshot", seq, resend: 0 } as const;
      await processes.direct.log.append(id, encodeSnapshot(other), { timeoutMs: 1000 });
    }
  }

  /** Its host starts it again. */
  #restartAgent({ agent, backMs }: Extract<Fault, { kind: "restart-agent" }>): void {
    const { clock, processes, happenings, state } = this.#options;
    processes.named(agent)?.clock.kill();
    const known = state();
    if (known !== undefined) happenings.count(`agent restarted in ${known}`);
    clock.at(clock.nowUs() + backMs * 1000, () => {
      // A second one would be refused.
      if (processes.named(agent)?.clock.isDead === true) processes.startAgent(agentName(agent));
    });
  }

  #startAgent(): void {
    const { processes, happenings } = this.#options;
    happenings.count("agents come late");
    processes.startAgent(agentName(new Set(processes.agents.map(({ name }) => name)).size));
  }

  #killLeader(backMs: number | null): void {
    const { processes, happenings, state } = this.#options;
    const { leader } = processes;
    if (leader === undefined || leader.clock.isDead) return;
    leader.clock.kill();
    leader.mount?.lose();
    const known = state();
    if (known !== undefined) happenings.count(`leader killed in ${known}`);
    if (backMs === null) return;
    if (known !== undefined) happenings.count(`leader restarted in ${known}`);
    this.#startAgain(backMs * 1000);
  }

  #closeLeader(): void {
    const { leader } = this.#options.processes;
    if (leader === undefined || leader.clock.isDead) return;
    this.#options.happenings.count("leaders closed");
    void leader.coordinator?.close();
    this.#startAgain(CLOSED_US);
  }

  /** On the host of whoever leads, or has led. */
  #startAgain(afterUs: number): void {
    const { clock, processes } = this.#options;
    const { leader } = processes;
    if (leader === undefined) return;
    clock.at(clock.nowUs() + afterUs, () => processes.startCoordinator(leader.name, leader.host));
  }
}
