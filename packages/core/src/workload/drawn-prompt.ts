import type { Random } from "../random/random.js";
import type { Prompt, PromptKind } from "./prompt-kinds.js";

/** Units of a prompt that are known, or are drawn when they are wanted. */
export type PromptPart =
  | { readonly units: readonly number[] }
  | { readonly count: number; readonly random: () => Random };

/** A prompt that is not drawn yet: long ones are made piece by piece, so that nothing waits for a whole one. */
export class DrawnPrompt {
  readonly kind = "drawn";
  readonly promptKind: PromptKind;
  readonly #parts: readonly PromptPart[];

  constructor(promptKind: PromptKind, parts: readonly PromptPart[]) {
    this.promptKind = promptKind;
    this.#parts = parts;
  }

  /** Its units, so many at a time; the same ones each time it is asked. */
  *pieces(units: number): Generator<readonly number[]> {
    for (const part of this.#parts) {
      if ("units" in part) {
        for (let from = 0; from < part.units.length; from += units)
          yield part.units.slice(from, from + units);
        continue;
      }
      const random = part.random();
      for (let left = part.count; left > 0; left -= units) {
        const piece: number[] = [];
        this.promptKind.draw(piece, random, Math.min(units, left));
        yield piece;
      }
    }
  }

  whole(): Prompt {
    return this.promptKind.prompt([...this.pieces(PIECE_UNITS)].flat());
  }
}

/** A tenth of a millisecond's work. */
export const PIECE_UNITS = 512;
