import type { RunState } from "@tokenstorm/core";

/** Run states in which something is made to happen, once the store shows them. */
export const FAULT_STATES = [
  "gathering",
  "preparing",
  "arming",
  "running",
  "draining",
  "delivering",
] as const satisfies readonly RunState[];
export type FaultState = (typeof FAULT_STATES)[number];

export type Fault =
  /** SIGKILL of whoever leads, perhaps with its lease; a new process on the same host after `backMs`, never where null. */
  | { readonly kind: "kill-leader"; readonly backMs: number | null; readonly withLease: boolean }
  /** SIGSTOP and SIGCONT. */
  | { readonly kind: "pause-leader"; readonly forMs: number }
  | { readonly kind: "pause-agent"; readonly agent: number; readonly forMs: number }
  | {
      readonly kind: "partition";
      readonly of: "leader" | number;
      readonly direction: "in" | "out" | "both";
      readonly forMs: number;
    }
  /** Nothing that the leader says leaves its host, for longer than a lease: some of it comes when another one leads. */
  | { readonly kind: "silence-leader"; readonly forMs: number }
  | { readonly kind: "restart-nats"; readonly forMs: number }
  /** Every agent's connection, both ways. */
  | { readonly kind: "cut-agents"; readonly forMs: number }
  | { readonly kind: "kill-agent"; readonly agent: number }
  /** SIGKILL, and a new process with the same id after `backMs`. */
  | { readonly kind: "restart-agent"; readonly agent: number; readonly backMs: number }
  /** One more agent comes. */
  | { readonly kind: "start-agent" }
  | { readonly kind: "stop"; readonly level: "drain" | "cut" }
  /** SIGTERM: it ends its run, and lets the next one lead. */
  | { readonly kind: "close-leader" }
  /** The store forgets everything, or the lease's key alone. */
  | { readonly kind: "wipe-state" }
  | { readonly kind: "delete-lease" }
  /** The log forgets everything. */
  | { readonly kind: "wipe-log" }
  /** The log takes nothing of anybody, and says so. */
  | { readonly kind: "fill-log"; readonly forMs: number }
  /** No room is left on the disk of whoever leads. */
  | { readonly kind: "fill-disk"; readonly forMs: number }
  /** Somebody appends further results of this agent, of another admission than that of the run. */
  | { readonly kind: "other-epoch"; readonly agent: number }
  /** Somebody sets a host's wall clock. */
  | { readonly kind: "step-wall"; readonly of: "leader" | number; readonly byMs: number };

/** What happens, and when: `afterMs` after the store shows the state, or after another one has taken the lead. */
export interface Planned {
  readonly state: FaultState | "taken over";
  readonly afterMs: number;
  readonly fault: Fault;
}

/** What harms nobody: all of it is mended by whoever leads, or is none of the run's business. */
const HARMLESS: ReadonlySet<Fault["kind"]> = new Set([
  "delete-lease",
  "other-epoch",
  "start-agent",
  "step-wall",
  "wipe-log",
  "wipe-state",
]);

/** A full log or disk holds up what the run has found, and nothing else; one that is full at admission ends the run. */
export function isHarmless({ state, fault: { kind } }: Planned): boolean {
  if (kind === "fill-log") return true;
  if (kind === "fill-disk") return state === "running" || state === "draining" || state === "delivering";
  return HARMLESS.has(kind);
}

const LEADER_HIT: ReadonlySet<Fault["kind"]> = new Set([
  "kill-leader",
  "pause-leader",
  "silence-leader",
  "close-leader",
  "restart-nats",
]);

/** Whoever leads dies, stands still, or is heard or answered no more. */
export function hitsLeader({ fault }: Planned): boolean {
  return LEADER_HIT.has(fault.kind) || (fault.kind === "partition" && fault.of === "leader");
}
