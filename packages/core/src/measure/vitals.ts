import type { ProbeDelays } from "./probe-delays.js";

/** How the agent's own process fared in one interval: the evidence that the generator was not the limit. */
export interface Vitals {
  /** p99 of the event-loop delay, us, above the monitor's own resolution. */
  readonly loopDelayP99Us: number;
  readonly loopDelayMaxUs: number;
  /** Event-loop utilisation, 0 to 1. */
  readonly utilisation: number;
  /** User and system CPU time of the process per wall time; 1 is one core. */
  readonly cpu: number;
  /** Utilisation minus CPU share: above +0.07 the host gave the CPU to somebody else. */
  readonly starvation: number;
  /** Time spent in garbage collection, us. */
  readonly gcUs: number;
  /** Time for which the cgroup's CPU quota stopped this container, us; 0 where there is none. */
  readonly throttledUs: number;
  readonly rssBytes: number;
  readonly openSockets: number;
  /** Descriptors open and allowed; 0 where unknown. */
  readonly descriptors: number;
  readonly descriptorLimit: number;
  /** p99 of the schedule lag of this interval, us. */
  readonly scheduleLagP99Us: number;
  /** Token events that falsely shared a read, per token event: 0 to 1. */
  readonly coalescedShare: number;
  // What follows is absent from agents that are older, and where the host does not let it be known.
  readonly selfProbe?: ProbeDelays | undefined;
  readonly localPorts?: LocalPorts | undefined;
}

/** Every connection to one address and port needs a local port of its own. */
export interface LocalPorts {
  /** Connections of this process to the place to which it has most. */
  readonly used: number;
  /** Ports that the system gives out for connections. */
  readonly range: number;
}

export const VITALS_COLOURS = ["green", "yellow", "red"] as const;
export type VitalsColour = (typeof VITALS_COLOURS)[number];
