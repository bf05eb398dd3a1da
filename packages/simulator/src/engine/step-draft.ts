import type { EngineConfig, StepPlan } from "./engine.js";
import type { Sequence } from "./sequence.js";
import type { StepModel } from "./step-model.js";

/** A step while it is being put together. */
export class StepDraft {
  budget: number;
  encoderBudget: number;
  readonly sequences: Sequence[] = [];
  readonly admitted: { id: number; cachedTokens: number }[] = [];
  preempted = 0;
  #sampled = 0;
  #prefillTokens = 0;
  #scheduledTokens = 0;
  #encoderTokens = 0;

  constructor(budget: number, encoderBudget: number) {
    this.budget = budget;
    this.encoderBudget = encoderBudget;
  }

  /** An image passes through the vision tower, before the language model's part of the step. */
  encode(tokens: number): void {
    this.#encoderTokens += tokens;
    this.encoderBudget -= tokens;
  }

  schedule(sequence: Sequence, tokens: number): void {
    sequence.scheduled = tokens;
    this.sequences.push(sequence);
    this.budget -= tokens;
    this.#scheduledTokens += tokens;
    this.#prefillTokens += Math.max(0, Math.min(tokens, sequence.prefillTarget - sequence.computed));
    if (sequence.computed + tokens === sequence.length) this.#sampled++;
  }

  plan(model: StepModel, { timeScale, encoderTokensPerS, stepNoise }: EngineConfig): StepPlan {
    const { sequences } = this;
    const encoderUs = encoderTokensPerS === undefined ? 0 : (this.#encoderTokens * 1e6) / encoderTokensPerS;
    const load = { sequences, sampled: this.#sampled, prefillTokens: this.#prefillTokens };
    return {
      durationUs: ((model.stepUs(load) + encoderUs) * (stepNoise?.() ?? 1)) / timeScale,
      sampled: this.#sampled,
      prefillTokens: this.#prefillTokens,
      scheduledTokens: this.#scheduledTokens,
      encoderTokens: this.#encoderTokens,
      admitted: this.admitted,
      preempted: this.preempted,
    };
  }
}
