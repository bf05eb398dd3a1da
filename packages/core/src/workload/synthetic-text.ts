import type { Length, SyntheticTextWorkload } from "../plan/schema.js";
import { STREAMS, type Stream } from "../random/random.js";
import type { Calibration } from "./calibration.js";
import { DrawnPrompt } from "./drawn-prompt.js";
import type { Draws } from "./draws.js";
import { drawLength } from "./lengths.js";
import type { PromptKind } from "./prompt-kinds.js";
import type { AskedText, Coordinates, RequestPlace } from "./request-spec.js";

/** Makes the prompts of one member from the seed. */
export class SyntheticText {
  readonly #workload: SyntheticTextWorkload;
  readonly #kind: PromptKind;
  readonly #calibration: Calibration;
  readonly #draws: Draws;
  #commonUnits: readonly number[] | null = null;
  #identical: Pick<AskedText, "promptTokens" | "prompt"> | null = null;

  constructor(
    workload: SyntheticTextWorkload,
    options: { readonly kind: PromptKind; readonly calibration: Calibration; readonly draws: Draws },
  ) {
    this.#workload = workload;
    this.#kind = options.kind;
    this.#calibration = options.calibration;
    this.#draws = options.draws;
  }

  textFor({ at }: RequestPlace): AskedText {
    const { inputTokens, outputTokens, prompts } = this.#workload;
    const asked = this.#length(outputTokens, STREAMS.outputLength, at);
    if (prompts === "identical") return { ...this.#theOne(), outputTokens: asked };
    const promptTokens = this.#length(inputTokens, STREAMS.inputLength, at);
    return { promptTokens, outputTokens: asked, prompt: this.#ownPrompt(promptTokens, at) };
  }

  #length(length: Length, stream: Stream, at: Coordinates): number {
    return typeof length === "number" ? length : drawLength(length, this.#draws.seeded(stream, at));
  }

  #ownPrompt(promptTokens: number, at: Coordinates): DrawnPrompt {
    const count = this.#kind.unitsOfPrompt(promptTokens, this.#calibration);
    // A prompt no longer than the common beginning keeps at least one unit of its own.
    const units = this.#workload.prompts === "shared-prefix" ? this.#common().slice(0, count - 1) : [];
    const head = Math.min(count - units.length, this.#kind.headUnits);
    return new DrawnPrompt(this.#kind, [
      { units },
      { count: head, random: () => this.#draws.salted(STREAMS.promptHead, at) },
      { count: count - units.length - head, random: () => this.#draws.seeded(STREAMS.promptBody, at) },
    ]);
  }

  /** The beginning that all prompts of the run share. It is user's text: the template before it is common anyway. */
  #common(): readonly number[] {
    if (this.#commonUnits !== null) return this.#commonUnits;
    const units: number[] = [];
    const count = this.#kind.unitsOfText(this.#workload.sharedPrefixTokens ?? 1, this.#calibration);
    this.#kind.draw(
      units,
      this.#draws.commonSalted(STREAMS.commonHead),
      Math.min(count, this.#kind.headUnits),
    );
    this.#kind.draw(units, this.#draws.common(STREAMS.commonBody), count - units.length);
    this.#commonUnits = units;
    return units;
  }

  /** The prompt of all requests, where they are identical. */
  #theOne(): Pick<AskedText, "promptTokens" | "prompt"> {
    if (this.#identical !== null) return this.#identical;
    const { inputTokens } = this.#workload;
    const promptTokens =
      typeof inputTokens === "number"
        ? inputTokens
        : drawLength(inputTokens, this.#draws.common(STREAMS.inputLength));
    const count = this.#kind.unitsOfPrompt(promptTokens, this.#calibration);
    const random = () => this.#draws.common(STREAMS.commonBody);
    this.#identical = { promptTokens, prompt: new DrawnPrompt(this.#kind, [{ count, random }]) };
    return this.#identical;
  }
}
