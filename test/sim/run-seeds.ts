import { LEASE_LIMITS } from "@tokenstorm/core";
import type { Coverage } from "./coverage.js";
import { checkInvariants } from "./invariants.js";
import { World } from "./world.js";

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
    world.processes.close();
  }
}
