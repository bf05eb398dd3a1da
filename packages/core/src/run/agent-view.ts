import type { Capacity } from "../capacity/capacity.js";
import type { SeqRange } from "../measure/aggregate.js";
import type { Ledger } from "../measure/snapshot.js";
import type { Vitals } from "../measure/vitals.js";
import type { Problem } from "./run-record.js";

/** What an agent process is doing, as it says itself. */
export type AgentState =
  | "idle"
  | "preparing"
  | "ready"
  | "armed"
  | "running"
  | "draining"
  | "delivering"
  | "done"
  | "failed";

/** What an agent found when it prepared, as far as the leader compares and keeps it. */
export interface AgentReady {
  readonly version: string;
  readonly walkDigest: string;
  readonly model: string;
  readonly wordsPerToken: number | null;
  readonly templateTokens: number | null;
  readonly serverVersion: string | null;
  readonly reader?: string | undefined;
  /** Events per second that the plan means for one process. Not from an agent of an older version. */
  readonly plannedEventsPerS?: number | undefined;
}

/** An agent's whole state as its heartbeat carries it; a heartbeat of the protocol is one. */
export interface AgentReport {
  readonly agent: string;
  readonly instance: string;
  readonly host: string;
  readonly version: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly state: AgentState;
  readonly run: string | null;
  readonly epoch: number;
  readonly ready: AgentReady | null;
  readonly armedAttempt: number;
  readonly startErrorUs: number | null;
  readonly stage: number;
  readonly stageDone: number;
  readonly lastCut: number;
  readonly lastAcked: number;
  readonly ledger: Ledger | null;
  readonly vitals: Vitals | null;
  readonly problem: Problem | null;
  /** Intervals that it can deliver no more. Not from an agent of an older version, nor where there are none. */
  readonly gaps?: readonly SeqRange[] | undefined;
  /** Results that it waited for in vain to be confirmed; they are in its spool file. Absent as above. */
  readonly undelivered?: number | undefined;
  /** Counts the heartbeats of one process. Not from an agent of an older version. */
  readonly seq?: number | undefined;
  /** What one process carries on its host; absent where nobody has calibrated it, and from an older version. */
  readonly capacity?: Capacity | undefined;
}

/** The same at the leader, with the leader's own clock beside it. */
export interface AgentView extends AgentReport {
  readonly heardAtUs: number;
  /**
   * Time for which nothing was heard although the leader's own beacon came back to it; 0 while it does not, for then
   * it is the bus that is silent, not the agent.
   */
  readonly silentUs: number;
  /** Another process speaks under this id: one of the two is gone, or will be refused; which is not known yet. */
  readonly isContested: boolean;
}

/** `a1 on host-3`. */
export function nameAgent(agent: { readonly agent: string; readonly host: string }): string {
  return `${agent.agent} on ${agent.host}`;
}

/** At most eight by name, the rest by their number. */
export function nameAgents(agents: readonly { readonly agent: string; readonly host: string }[]): string {
  const named = agents.slice(0, MOST_NAMED).map(nameAgent).join(", ");
  return agents.length > MOST_NAMED ? `${named} and ${agents.length - MOST_NAMED} more` : named;
}

export const MOST_NAMED = 8;
