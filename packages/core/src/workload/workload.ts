import type { RequestKey } from "../load/keys.js";
import { resolveStages } from "../load/resolve-stages.js";
import type { Length, TestPlan, Workload } from "../plan/schema.js";
import { Hash128 } from "../random/hash.js";
import { Random, randomState, STREAMS, type Stream } from "../random/random.js";
import type { Calibration } from "./calibration.js";
import { drawLength } from "./lengths.js";
import { type Prompt, type PromptKind, TOKEN_IDS, WORD_TEXT } from "./prompt-kinds.js";

/** What one request asks for. Lengths as asked; what the server counted stands beside them in the report. */
export interface RequestSpec {
  /** Of the whole prompt, the chat template included. */
  readonly promptTokens: number;
  readonly outputTokens: number;
  readonly prompt: Prompt;
}

/** Pure: the same key gives the same request on every agent. */
export interface RequestSource {
  requestFor(key: RequestKey): RequestSpec;
}

export interface WorkloadOptions {
  /** The run's; what is drawn from it changes with every run, what is drawn from the plan's seed does not. */
  readonly salt: string;
  readonly calibration: Calibration;
}

/**
 * The requests of a plan. A prompt begins with a head of at least 62 bits drawn from (salt, key), so that no two runs
 * and no two keys begin alike; a common prefix has one drawn from the salt alone. The rest of the text and all
 * lengths are drawn from (seed, key): another salt leaves them as they were. Identical prompts have no head, and the
 * length that is drawn first. Warm-up keys lie in a domain of their own, and whether there is a warm-up changes no
 * other request.
 */
export function createWorkload(plan: TestPlan, options: WorkloadOptions): RequestSource {
  const source = new SyntheticText(plan, options);
  return { requestFor: (key) => source.requestFor(key) };
}

/** Where a key lies, apart from agents and from the warm-up: (domain, stage, user, j) or (domain, stage, k). */
type Coordinates = readonly number[];

const DOMAINS = { warmUp: 0, closed: 1, open: 2 } as const;

class SyntheticText {
  readonly #workload: Workload;
  readonly #seed: number;
  readonly #kind: PromptKind;
  readonly #salt: string;
  readonly #calibration: Calibration;
  readonly #hasWarmUp: boolean;
  #commonUnits: readonly number[] | null = null;
  #identical: Pick<RequestSpec, "promptTokens" | "prompt"> | null = null;

  constructor(plan: TestPlan, { salt, calibration }: WorkloadOptions) {
    this.#workload = plan.workload;
    this.#seed = plan.seed;
    this.#kind = plan.target.api === "openai-completions" ? TOKEN_IDS : WORD_TEXT;
    this.#salt = salt;
    this.#calibration = calibration;
    this.#hasWarmUp = resolveStages(plan)[0]?.isWarmUp === true;
  }

  requestFor(key: RequestKey): RequestSpec {
    const at = this.#coordinates(key);
    const { inputTokens, outputTokens, prompts } = this.#workload;
    const asked = this.#length(outputTokens, STREAMS.outputLength, at);
    if (prompts === "identical") return { ...this.#theOne(), outputTokens: asked };
    const promptTokens = this.#length(inputTokens, STREAMS.inputLength, at);
    return { promptTokens, outputTokens: asked, prompt: this.#ownPrompt(promptTokens, at) };
  }

  #coordinates(key: RequestKey): Coordinates {
    const stage = key.stage - (this.#hasWarmUp ? 1 : 0);
    if (key.kind === "open") return [DOMAINS.open, stage, key.k];
    if (stage < 0) return [DOMAINS.warmUp, 0, key.user, key.j];
    return [DOMAINS.closed, stage, key.user, key.j];
  }

  #length(length: Length, stream: Stream, at: Coordinates): number {
    return typeof length === "number" ? length : drawLength(length, this.#seeded(stream, at));
  }

  #ownPrompt(promptTokens: number, at: Coordinates): Prompt {
    const count = this.#kind.unitsOfPrompt(promptTokens, this.#calibration);
    // A prompt no longer than the common beginning keeps at least one unit of its own.
    const units = this.#workload.prompts === "shared-prefix" ? this.#common().slice(0, count - 1) : [];
    const head = Math.min(count - units.length, this.#kind.headUnits);
    this.#kind.draw(units, this.#salted(STREAMS.promptHead, at), head);
    this.#kind.draw(units, this.#seeded(STREAMS.promptBody, at), count - units.length);
    return this.#kind.prompt(units);
  }

  /** The beginning that all prompts of the run share. It is user's text: the template before it is common anyway. */
  #common(): readonly number[] {
    if (this.#commonUnits !== null) return this.#commonUnits;
    const units: number[] = [];
    const count = this.#kind.unitsOfText(this.#workload.sharedPrefixTokens ?? 1, this.#calibration);
    this.#kind.draw(units, this.#salted(STREAMS.commonHead, []), Math.min(count, this.#kind.headUnits));
    this.#kind.draw(units, this.#seeded(STREAMS.commonBody, []), count - units.length);
    this.#commonUnits = units;
    return units;
  }

  /** The prompt of all requests, where they are identical. */
  #theOne(): Pick<RequestSpec, "promptTokens" | "prompt"> {
    if (this.#identical !== null) return this.#identical;
    const promptTokens = this.#length(this.#workload.inputTokens, STREAMS.inputLength, []);
    const units: number[] = [];
    const count = this.#kind.unitsOfPrompt(promptTokens, this.#calibration);
    this.#kind.draw(units, this.#seeded(STREAMS.commonBody, []), count);
    this.#identical = { promptTokens, prompt: this.#kind.prompt(units) };
    return this.#identical;
  }

  #seeded(stream: Stream, at: Coordinates): Random {
    return new Random(randomState(this.#seed, stream, at));
  }

  #salted(stream: Stream, at: Coordinates): Random {
    const hash = new Hash128().addInt(stream).addText(this.#salt);
    for (const part of at) hash.addSafeInt(part);
    return new Random(hash.words());
  }
}
