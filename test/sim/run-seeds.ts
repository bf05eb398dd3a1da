import { LEASE_LIMITS } from "@tokenstorm/core";
import { checkInvariants } from "./invariants.js";
import { FAULT_STATES } from "./scenario.js";
import { type Coverage, World } from "./world.js";

/**
 * Every wait of a run one after the other, and the faults: gathering, preparing, three starts, the load with its grace,
 * delivery, and as many takeovers as there are faults.
 */
const DEADLINE_MS = 300_000 + 6 * (LEASE_LIMITS.takeAfterUs / 1000);

/** What one seed did. Throws with the seed, how to run it again, and what the processes said. */
export async function runSeed(seed: number): Promise<Coverage> {
  const world = new World(seed);
  try {
    await world.run(DEADLINE_MS);
    await checkInvariants(world);
    return world.coverage();
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    const { lines, scenario } = world;
    throw new Error(
      [
        `seed ${seed} fails: ${why}`,
        `again: node scripts/sim.mjs --seed ${seed}`,
        `scenario: ${JSON.stringify(scenario)}`,
        ...lines.slice(-200),
      ].join("\n"),
      { cause },
    );
  } finally {
    world.close();
  }
}

/** One line for each thing that happened in some seed. */
export class CoverageSum {
  readonly #sums = new Map<string, number>();

  add({ link, killedIn, ...others }: Coverage): void {
    const named = {
      redeliveries: link.repeated + link.resent + link.lostAcks,
      reorders: link.reordered,
      duplicates: link.duplicated,
      losses: link.lost,
      "lost acknowledgements": link.lostAcks,
      "lost entries": link.lostEntries,
      "lost answers": link.lostAnswers,
      resends: link.resent,
      partitions: link.cuts,
      takeovers: others.takeovers,
      "paused leaders": others.pausedLeaders,
      "killed agents": others.killedAgents,
      "NATS restarts": others.natsRestarts,
      stops: others.stops,
      "spooled results": others.spooled,
      "agents gone on without": others.goneOnWithout,
      "agents found again": others.found,
      "shards taken over": others.moved,
      ...Object.fromEntries(FAULT_STATES.map((state) => [`leader killed in ${state}`, killedIn[state]])),
    };
    for (const [name, count] of Object.entries(named))
      this.#sums.set(name, (this.#sums.get(name) ?? 0) + count);
  }

  /** What no seed did: the simulation has not shown it then. */
  never(): string[] {
    return [...this.#sums].filter(([, count]) => count === 0).map(([name]) => name);
  }

  text(): string {
    return [...this.#sums].map(([name, count]) => `${name} ${count}`).join(", ");
  }
}
