import { type Clock, isTerminal, type LiveUpdate, LoadError } from "@tokenstorm/core";
import { type Cluster, decodeLive, openRoster, type Roster } from "@tokenstorm/protocol";
import type { ApiLimits } from "./limits.js";

/** What is heard on the bus all the time, so that nobody who asks has to wait for it. */
export interface ClusterWatch {
  readonly roster: Roster;
  /** Why the bus cannot be used; null while it can. */
  readonly busTrouble: string | null;
  /** The last update of each run under way, and of the run that ended last. */
  runs(): LiveUpdate[];
  latest(run: string): LiveUpdate | undefined;
  /** May be called twice. */
  close(): void;
}

export function watchCluster(cluster: Cluster, clock: Clock, limits: ApiLimits): ClusterWatch {
  const { bus } = cluster.transport;
  const roster = openRoster(cluster, clock, { mostAgents: limits.agents });
  const runs = new RecentRuns(clock, limits);
  let busTrouble: string | null = null;
  const status = bus.onStatus((now) => {
    busTrouble = now.kind === "connected" ? null : `the connection to NATS is ${now.kind}`;
  });
  const live = bus.subscribe(cluster.subjects.allLive, ({ subject, data }) => {
    const update = readLive(data);
    if (update !== undefined && subject === cluster.subjects.live(update.run)) runs.take(update);
  });
  return {
    roster,
    get busTrouble() {
      return busTrouble;
    },
    runs: () => runs.latest(),
    latest: (run) => runs.latest().find((update) => update.run === run),
    close: () => {
      roster.close();
      status.close();
      live.close();
    },
  };
}

class RecentRuns {
  readonly #clock: Clock;
  readonly #limits: ApiLimits;
  readonly #underWay = new Map<string, { readonly update: LiveUpdate; readonly atUs: number }>();
  #ended: LiveUpdate | undefined;
  /** Its end is told several times, also while the next run begins. */
  readonly #over = new Set<string>();

  constructor(clock: Clock, limits: ApiLimits) {
    this.#clock = clock;
    this.#limits = limits;
  }

  take(update: LiveUpdate): void {
    if (isTerminal(update.state)) {
      this.#underWay.delete(update.run);
      if (this.#over.has(update.run)) return;
      this.#over.clear();
      this.#over.add(update.run);
      this.#ended = update;
      return;
    }
    const isKnown = this.#underWay.delete(update.run);
    if (!isKnown && this.#underWay.size >= this.#limits.metricRuns) this.#forgetSilent();
    if (this.#underWay.size >= this.#limits.metricRuns) return;
    this.#underWay.set(update.run, { update, atUs: this.#clock.nowUs() });
  }

  latest(): LiveUpdate[] {
    this.#forgetSilent();
    const ended = this.#ended === undefined ? [] : [this.#ended];
    return [...ended, ...[...this.#underWay.values()].map(({ update }) => update)];
  }

  #forgetSilent(): void {
    const sinceUs = this.#clock.nowUs() - this.#limits.metricSilenceMs * 1000;
    for (const [run, { atUs }] of this.#underWay) if (atUs < sinceUs) this.#underWay.delete(run);
  }
}

function readLive(data: Uint8Array): LiveUpdate | undefined {
  try {
    return decodeLive(data);
  } catch (error) {
    if (error instanceof LoadError) return undefined;
    throw error;
  }
}
