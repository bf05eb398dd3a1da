import { type Cancel, type ClockComparison, type ClockReading, LoadError } from "@tokenstorm/core";
import { probeClocks } from "@tokenstorm/protocol";
import type { CoordinatorDeps } from "./deps.js";
import { COORDINATOR_LIMITS } from "./limits.js";

export interface ClockWatchOptions {
  readonly deps: Pick<CoordinatorDeps, "clock" | "transport" | "subjects">;
  /** Of the run; all of them are asked, also those that are silent: they may be back. */
  readonly agents: () => readonly { readonly agent: string; readonly instance: string }[];
  /** Time zero of the run on this clock, us; undefined while it is not known. */
  readonly zeroUs: () => number | undefined;
  readonly onRefusal: (reason: string) => void;
  /** Who did not answer is not among them. */
  readonly onCompared: (clocks: readonly ClockReading[]) => void;
}

/**
 * Compares agents' clocks with this process's in the course of a run: what was found before the start or at the takeover, now
 * and then while it lasts, and once more when all have drained. A few messages each time: whoever measures is left in peace.
 */
export class ClockWatch {
  readonly #options: ClockWatchOptions;
  #found: ReadonlyMap<string, ClockComparison> = new Map();
  #cancel: Cancel | undefined;
  #isWatching = false;
  #isClosed = false;
  #last: Promise<void> = Promise.resolve();
  #hurry: () => void = () => undefined;
  readonly #hurried = new Promise<void>((resolve) => {
    this.#hurry = resolve;
  });

  constructor(options: ClockWatchOptions) {
    this.#options = options;
  }

  /** What a comparison of somebody else's found: told as soon as run time is known. */
  found(offsets: ReadonlyMap<string, ClockComparison>): void {
    this.#found = offsets;
  }

  tellFound(): void {
    const offsets = this.#found;
    this.#found = new Map();
    this.#tell(offsets);
  }

  /** From now on, until `askLast`. May be called twice. */
  watch(): void {
    this.tellFound();
    if (this.#isWatching || this.#isClosed) return;
    this.#isWatching = true;
    this.#next();
  }

  /** Once more; then no further time. `settled` waits for it. */
  askLast(): void {
    this.#stop();
    const untilUs = this.#options.deps.clock.nowUs() + COORDINATOR_LIMITS.lastClocksMs * 1000;
    this.#last = this.#compare(untilUs);
  }

  /** Nothing more is told from here on; within `lastClocksMs`. */
  async settled(): Promise<void> {
    await Promise.race([this.#last, this.#hurried]);
    this.close();
  }

  /** Whoever has not answered yet is not waited for. */
  hurry(): void {
    this.#hurry();
  }

  /** May be called twice. */
  close(): void {
    this.#isClosed = true;
    this.#stop();
  }

  #stop(): void {
    this.#isWatching = false;
    this.#cancel?.();
  }

  /** Ever more seldom: the longer a run, the longer is the time over which clocks drift, and what is noted stays little. */
  #next(): void {
    const { clock } = this.#options.deps;
    const nowUs = clock.nowUs();
    const zeroUs = this.#options.zeroUs() ?? nowUs;
    const fromUs = Math.max(nowUs, zeroUs);
    const waitUs = Math.max(
      COORDINATOR_LIMITS.clocksMs * 1000,
      (fromUs - zeroUs) / COORDINATOR_LIMITS.clocksInRun,
    );
    this.#cancel = clock.at(fromUs + Math.round(waitUs), () => {
      void this.#compare().then(() => {
        if (this.#isWatching) this.#next();
      });
    });
  }

  async #compare(untilUs?: number): Promise<void> {
    const { deps, agents, onRefusal } = this.#options;
    const { clock, subjects, transport } = deps;
    try {
      const offsets = await probeClocks(agents(), {
        ...{ bus: transport.bus, subjects, clock, probes: COORDINATOR_LIMITS.clockProbes },
        ...(untilUs === undefined ? {} : { untilUs }),
        onRefusal: (error) => onRefusal(error.message),
      });
      this.#tell(offsets);
    } catch (error) {
      // A connection that has ended: nobody answers.
      if (!(error instanceof LoadError)) throw error;
    }
  }

  #tell(offsets: ReadonlyMap<string, ClockComparison>): void {
    const zeroUs = this.#options.zeroUs();
    if (this.#isClosed || zeroUs === undefined) return;
    const clocks = [...offsets].map(([agent, { atUs, offsetUs, errorUs }]): ClockReading => {
      return { agent, runUs: atUs - zeroUs, offsetUs, errorUs };
    });
    for (let from = 0; from < clocks.length; from += COORDINATOR_LIMITS.clocksInEvent) {
      this.#options.onCompared(clocks.slice(from, from + COORDINATOR_LIMITS.clocksInEvent));
    }
  }
}
