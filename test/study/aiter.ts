import { inOtherState, profiles, runFactor, type StepTable } from "@tokenstorm/simulator";
import { runClosedLoop } from "./closed-loop.js";

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

const OUTPUT_TOKENS = 8;
/** Of the study's lengths: a run's total is reckoned as if the answers had been as long as there. */
const STUDY = { promptTokens: 1246, outputTokens: 512 } as const;

/**
 * Total tokens/s of one run of one server, whose seed decides how fast it was started. Prompts are cached and cost
 * nothing, as far as the published rows show.
 */
export function runOnce(arm: Arm, level: AbLevel, seed: number): number {
  const factor = runFactor({ seed, runNoiseCov: arm.runNoiseCov });
  const { outputTokensPerS } = runClosedLoop({
    decodeStepMs: arm.decodeStepMs,
    prefillTokensPerS: 1e12,
    promptTokens: 64,
    outputTokens: OUTPUT_TOKENS,
    isIdentical: true,
    isWarm: true,
    ...level,
    engine: { kvBlocks: 20_000, stepNoise: () => factor },
  });
  return outputTokensPerS * ((STUDY.promptTokens + STUDY.outputTokens) / STUDY.outputTokens);
}

/** Step times of Llama with AITER off, as fitted, and on. */
export function aiterTables(): { readonly off: StepTable; readonly on: StepTable } {
  const { decodeStepMs: off, aiter } = profiles["llama-3.1-405b"];
  return { off, on: inOtherState(off, aiter.otherFactors ?? []) };
}
