import { assert } from "../errors.js";
import type { TraceWorkload } from "../plan/schema.js";
import { STREAMS } from "../random/random.js";
import type { Calibration } from "./calibration.js";
import { DrawnPrompt, type PromptPart } from "./drawn-prompt.js";
import type { Draws } from "./draws.js";
import type { PromptKind } from "./prompt-kinds.js";
import type { AskedText, Coordinates, RequestPlace } from "./request-spec.js";
import type { TraceEntry } from "./trace.js";

/**
 * Prompts as long as a trace's, which share their beginnings as its did: a block of a name is the same text wherever it
 * comes, within a run; its head is drawn from the run's salt. What has no block is the request's own.
 */
export class TraceText {
  readonly #workload: TraceWorkload;
  readonly #entries: readonly TraceEntry[];
  readonly #kind: PromptKind;
  readonly #calibration: Calibration;
  readonly #draws: Draws;

  constructor(
    workload: TraceWorkload,
    options: {
      readonly entries: readonly TraceEntry[];
      readonly kind: PromptKind;
      readonly calibration: Calibration;
      readonly draws: Draws;
    },
  ) {
    this.#workload = workload;
    this.#entries = options.entries;
    this.#kind = options.kind;
    this.#calibration = options.calibration;
    this.#draws = options.draws;
  }

  /** The warm-up takes the lengths of the first requests, and none of their text. */
  textFor({ at, turn }: RequestPlace): AskedText {
    const entry = this.#entries[turn % this.#entries.length];
    assert(entry !== undefined, "a trace without requests");
    const { inputTokens, outputTokens } = entry;
    const blocks = at[0] === WARM_UP ? [] : (entry.blocks ?? []);
    return {
      promptTokens: inputTokens,
      outputTokens,
      prompt: new DrawnPrompt(this.#kind, this.#parts(inputTokens, { blocks, at })),
    };
  }

  #parts(
    tokens: number,
    { blocks, at }: { readonly blocks: readonly number[]; readonly at: Coordinates },
  ): PromptPart[] {
    const parts: PromptPart[] = [];
    let left = this.#kind.unitsOfPrompt(tokens, this.#calibration);
    const ofBlock = this.#kind.unitsOfText(this.#workload.blockTokens, this.#calibration);
    for (const block of blocks) {
      const count = Math.min(left, ofBlock);
      const head = Math.min(count, this.#kind.headUnits);
      parts.push(
        { count: head, random: () => this.#draws.salted(STREAMS.blockHead, [block]) },
        { count: count - head, random: () => this.#draws.seeded(STREAMS.blockBody, [block]) },
      );
      left -= count;
    }
    const head = Math.min(left, this.#kind.headUnits);
    parts.push(
      { count: head, random: () => this.#draws.salted(STREAMS.promptHead, at) },
      { count: left - head, random: () => this.#draws.seeded(STREAMS.promptBody, at) },
    );
    return parts;
  }
}

const WARM_UP = 0;
