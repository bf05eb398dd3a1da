import { standardNormal, uniformAt } from "./random.js";

/**
 * The study repeated its runs and saw them differ. Two sources of that are kept apart: `runNoiseCov` is one factor on
 * every step of a server, drawn once at its start; `stepNoiseCov` is a factor of each step's own, which evens out over
 * a run. Both are coefficients of variation (standard deviation / mean) of a normal distribution around 1.
 */
export interface NoiseOptions {
  readonly seed: number;
  /** Rank among data-parallel engines: the run's factor is the server's, the steps' are each engine's own. */
  readonly rank: number;
  readonly runNoiseCov: number;
  readonly stepNoiseCov: number;
}

/** Lest an unlikely draw turn time back: no step takes less than this share of its time. */
const LEAST_FACTOR = 0.05;
const RUN_STREAM = 0x52554e;
const STEP_STREAM = 0x53544550;

/** The factor on the next step's time, once for each step; undefined where there is no noise at all. */
export function createStepNoise(options: NoiseOptions): (() => number) | undefined {
  const { seed, rank, stepNoiseCov } = options;
  const run = runFactor(options);
  if (stepNoiseCov === 0) return run === 1 ? undefined : () => run;
  const stream = (seed ^ STEP_STREAM) + rank;
  let step = 0;
  return () => run * factorOf(stepNoiseCov, stream, step++);
}

/** What every step of this server is longer or shorter by; a function of the seed alone. */
export function runFactor({ seed, runNoiseCov }: Pick<NoiseOptions, "seed" | "runNoiseCov">): number {
  return runNoiseCov === 0 ? 1 : factorOf(runNoiseCov, seed ^ RUN_STREAM, 0);
}

function factorOf(cov: number, stream: number, n: number): number {
  const draws = { u: uniformAt(stream, 2 * n), v: uniformAt(stream, 2 * n + 1) };
  return Math.max(LEAST_FACTOR, 1 + cov * standardNormal(draws));
}
