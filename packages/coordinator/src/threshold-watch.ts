import {
  type Aggregate,
  abortingThresholds,
  type Clock,
  failedSoFar,
  type Problem,
  type ResolvedStage,
  type RunRecord,
  type TestPlan,
  type Threshold,
} from "@tokenstorm/core";
import { COORDINATOR_LIMITS } from "./limits.js";

export interface ThresholdWatchOptions {
  readonly plan: TestPlan;
  readonly stages: readonly ResolvedStage[];
  readonly clock: Clock;
}

/** Looks, while a run goes on, whether a threshold that ends it has failed. */
export class ThresholdWatch {
  readonly #options: ThresholdWatchOptions;
  readonly #thresholds: readonly Threshold[];
  #judgedSamples = 0;
  #judgedAtUs = Number.NEGATIVE_INFINITY;

  constructor(options: ThresholdWatchOptions) {
    this.#options = options;
    this.#thresholds = abortingThresholds(options.plan);
  }

  /** Why the run must end; null where it need not, or where nothing new has been folded since the last call. */
  problemIn(aggregate: Aggregate, record: RunRecord): Problem | null {
    if (this.#thresholds.length === 0) return null;
    const { stages, clock } = this.#options;
    const nowUs = clock.nowUs();
    const samples = aggregate.samplesMerged();
    const isSoon = nowUs - this.#judgedAtUs < COORDINATOR_LIMITS.judgeMs * 1000;
    if (isSoon || samples === this.#judgedSamples) return null;
    this.#judgedAtUs = nowUs;
    this.#judgedSamples = samples;
    const failed = failedSoFar(this.#thresholds, { record, stages, aggregate });
    if (failed === null) return null;
    const { expression, stage } = failed;
    return {
      code: "RUN_ABORTED",
      message: `the threshold \`${expression}\` failed in ${stage}`,
      threshold: expression,
    };
  }
}
