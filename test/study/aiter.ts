import { inOtherState, profiles, runFactor, type StepTable } from "@tokenstorm/simulator";
import { runClosedLoop, startedEngine } from "./closed-loop.js";
import type { Published } from "./data.js";

/** One condition of an A/B: the step times of that state, and how much its servers differ from start to start. */
export interface Arm {
  readonly decodeStepMs: StepTable;
  readonly runNoiseCov: number;
}

/** What is measured at a level; the shape is shorter than the study's, since a run's noise is one factor on all its steps. */
export interface AbLevel {
  readonly users: number;
  readonly requests: number;
}

const OUTPUT_TOKENS = 4;
/** Of the study's lengths: a run's total is reckoned as if the answers had been as long as there. */
const STUDY = { promptTokens: 1246, outputTokens: 512 } as const;

/**
 * Gives the total tokens/s of one run of one server, whose seed decides how fast it was started. Prompts are cached and cost
 * nothing, as far as the published rows show.
 */
export function createRuns(arm: Arm, level: AbLevel): (seed: number) => number {
  let factor = 1;
  const loop = {
    decodeStepMs: arm.decodeStepMs,
    prefillTokensPerS: 1e12,
    promptTokens: 16,
    outputTokens: OUTPUT_TOKENS,
    isIdentical: true,
    isWarm: true,
    ...level,
    engine: { kvBlocks: 2000, stepNoise: () => factor },
  };
  // Idle between two runs, and nothing of a run is left but the cached prompt: as good as one started anew, and far cheaper.
  const engine = startedEngine(loop);
  return (seed) => {
    factor = runFactor({ seed, runNoiseCov: arm.runNoiseCov });
    const { outputTokensPerS } = runClosedLoop(loop, engine);
    return outputTokensPerS * ((STUDY.promptTokens + STUDY.outputTokens) / STUDY.outputTokens);
  };
}

/** Step times of Llama with AITER off, as fitted, and on. */
export function aiterTables(): { readonly off: StepTable; readonly on: StepTable } {
  const { decodeStepMs: off, aiter } = profiles["llama-3.1-405b"];
  return { off, on: inOtherState(off, aiter.otherFactors ?? []) };
}

/** A number that really was in flight, with the published rows of the ablation that are it. */
export interface AiterLoad {
  readonly inFlight: number;
  readonly rows: Published["aiter_ablation"]["levels"];
  /** Throughput with AITER on against off, %; the mean of the rows. */
  readonly differencePct: number;
}

/** The rows by what was in flight: with a hundred requests a level, those from 100 up are one and the same burst. */
export function aiterLoads({ aiter_ablation: { levels } }: Published): AiterLoad[] {
  return [...new Set(levels.map((row) => row.inferred_max_in_flight))].map((inFlight) => {
    const rows = levels.filter((row) => row.inferred_max_in_flight === inFlight);
    return { inFlight, rows, differencePct: rows.reduce((sum, row) => sum + row.diff_pct, 0) / rows.length };
  });
}
