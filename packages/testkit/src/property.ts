import { test } from "node:test";
import { type Random, seededRandom } from "./random.js";

/**
 * A test that holds for `runs` random cases. Each has a seed of its own, which a failure names; SEED=<number> in the
 * environment runs that case alone. Seeds are fixed, so that a green run stays green; PROPERTY_SEED shifts them all.
 */
export function property(
  name: string,
  runs: number,
  body: (random: Random, seed: number) => void | Promise<void>,
): void {
  test(name, async () => {
    const only = process.env["SEED"];
    const base = Number(process.env["PROPERTY_SEED"] ?? 1);
    const seeds =
      only === undefined ? Array.from({ length: runs }, (_, i) => base * 1_000_003 + i) : [Number(only)];
    for (const seed of seeds) {
      try {
        await body(seededRandom(seed), seed);
      } catch (cause) {
        throw new Error(
          `fails with SEED=${seed}: ${cause instanceof Error ? cause.message : String(cause)}`,
          {
            cause,
          },
        );
      }
    }
  });
}
