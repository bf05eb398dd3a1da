import { logNormal, uniformAt } from "./random.js";

/**
 * After how many tokens an answer stops by itself, where the request does not ask to ignore the end of sequence:
 * - `natural`: log-normal by `naturalStopMedian` and `naturalStopSigma`;
 * - `to-limit`: never before `max_tokens`, as the study's Llama, Qwen and Kimi rows show;
 * - `study-multi-run`: 2 of each 100 requests run to `max_tokens`, both among the first ten, the others end at 96;
 * - `study-stochastic`: 3 % run to `max_tokens`, the rest is log-normal with median 75 and sigma 0.4.
 * The last two are readings of the study's DeepSeek rows (tokens per request, flat p99, a spread of 7 to 14 %); the
 * study publishes no output lengths.
 */
export const OUTPUT_LENGTH_PROFILES = ["natural", "to-limit", "study-multi-run", "study-stochastic"] as const;
export type OutputLengthProfile = (typeof OUTPUT_LENGTH_PROFILES)[number];

export interface OutputLengthOptions {
  readonly outputLengthProfile: OutputLengthProfile;
  readonly naturalStopMedian: number;
  readonly naturalStopSigma: number;
}

/** Numbers from simulator-calibration.json, output_length_profile. */
const STUDY = { burst: 100, long: [2, 7], shortTokens: 96, atLimit: 0.03, median: 75, sigma: 0.4 } as const;

/** After so long without a request the next one is the first of a burst, us. Levels of a plan lie a second apart. */
const REST_US = 500_000;

/** Decides each answer's length as its request comes. The caller says when one begins and when it is over. */
export class OutputLengths {
  readonly #options: OutputLengthOptions;
  #open = 0;
  #restingSinceUs = Number.NEGATIVE_INFINITY;
  /** Requests since the server last was at rest. */
  #position = 0;

  constructor(options: OutputLengthOptions) {
    this.#options = options;
  }

  /** Which output of a new request is its end-of-sequence token; undefined where it runs to `max_tokens`. */
  begin(request: {
    readonly outputSeed: number;
    readonly ignoreEos: boolean;
    readonly minTokens: number;
    readonly nowUs: number;
  }): number | undefined {
    if (this.#open === 0 && request.nowUs - this.#restingSinceUs >= REST_US) this.#position = 0;
    this.#open += 1;
    if (request.ignoreEos) return undefined;
    const natural = this.#length(request.outputSeed, this.#position++);
    return natural === undefined ? undefined : Math.max(natural, request.minTokens + 1, 1);
  }

  /** One that had begun has ended, however. */
  end(nowUs: number): void {
    this.#open -= 1;
    if (this.#open === 0) this.#restingSinceUs = nowUs;
  }

  #length(seed: number, position: number): number | undefined {
    const { outputLengthProfile, naturalStopMedian, naturalStopSigma } = this.#options;
    const draws = { u: uniformAt(seed, 0), v: uniformAt(seed, 1) };
    switch (outputLengthProfile) {
      case "to-limit":
        return undefined;
      case "study-multi-run":
        return STUDY.long.some((place) => place === position % STUDY.burst) ? undefined : STUDY.shortTokens;
      case "study-stochastic":
        if (uniformAt(seed, 2) < STUDY.atLimit) return undefined;
        return Math.round(logNormal(STUDY.median, STUDY.sigma, draws));
      case "natural":
        return Math.round(logNormal(naturalStopMedian, naturalStopSigma, draws));
    }
  }
}
