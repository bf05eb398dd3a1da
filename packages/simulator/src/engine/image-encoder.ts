import { assert } from "@tokenstorm/core";
import { EncoderCache, type EngineImage } from "./encoder-cache.js";
import type { EngineRequest, Sequence } from "./sequence.js";

/** What it needs of a step that is being put together. */
interface EncoderStep {
  /** Image tokens that may still be encoded in it. */
  readonly encoderBudget: number;
  encode(tokens: number): void;
}

/** How far a sequence can go, and the images it must hold for that. */
interface Fit {
  readonly tokens: number;
  readonly images: readonly EngineImage[];
}

/** The largest image of any profile; vLLM too lets its encoder budget and cache hold at least one of the largest. */
const LARGEST_IMAGE_TOKENS = 16_384;
const NO_IMAGES: readonly EngineImage[] = [];

/** Decides in which step an image passes through the vision tower. */
export class ImageEncoder {
  /** Tokens of images that may be encoded in one step, and that are kept. */
  readonly budget: number;
  readonly #cache: EncoderCache;

  constructor(maxNumBatchedTokens: number) {
    this.budget = Math.max(maxNumBatchedTokens, LARGEST_IMAGE_TOKENS);
    this.#cache = new EncoderCache(this.budget);
  }

  check({ id, images }: EngineRequest): void {
    for (const { tokens } of images ?? NO_IMAGES) {
      assert(tokens <= this.budget, `an image of ${tokens} tokens of request ${id} can never fit`);
    }
  }

  /**
   * How many of the `wanted` tokens from `from` on can be computed with images that are encoded, or can be in this step, and
   * which of them it must hold. Where one finds no budget or no room, the tokens end before it.
   */
  fit(sequence: Sequence, from: number, wanted: number, step: EncoderStep): Fit {
    const { images } = sequence.request;
    if (images === undefined || images.length === 0) return { tokens: wanted, images: NO_IMAGES };
    const needed: EngineImage[] = [];
    let toEncode = 0;
    let toHold = 0;
    for (const image of images) {
      const { hash, start, tokens } = image;
      if (start >= from + wanted) break;
      if (start + tokens <= from || sequence.heldImages.includes(image)) continue;
      const isNeededTwice = needed.some((other) => other.hash === hash);
      const encoding = isNeededTwice || this.#cache.has(hash) ? 0 : tokens;
      const holding = isNeededTwice || this.#cache.isHeld(hash) ? 0 : tokens;
      const fits = toEncode + encoding <= step.encoderBudget && this.#cache.hasRoom(holding, toHold);
      if (!fits) return { tokens: Math.max(0, start - from), images: needed };
      toEncode += encoding;
      toHold += holding;
      needed.push(image);
    }
    return { tokens: wanted, images: needed };
  }

  hold(sequence: Sequence, images: readonly EngineImage[], step: EncoderStep): void {
    // Those that are there first: room for a new one must not be made of them.
    const isThere = images.map(({ hash }) => this.#cache.has(hash));
    images.forEach((image, i) => {
      if (isThere[i] === true) this.#holdOne(sequence, image);
    });
    images.forEach((image, i) => {
      if (isThere[i] === true) return;
      if (!this.#cache.has(image.hash)) step.encode(image.tokens);
      this.#holdOne(sequence, image);
    });
  }

  /** Those whose tokens lie before `computed` are in the KV cache and needed no more. */
  letGo(sequence: Sequence, computed = Number.POSITIVE_INFINITY): void {
    if (sequence.heldImages.length === 0) return;
    sequence.heldImages = sequence.heldImages.filter((image) => {
      if (image.start + image.tokens > computed) return true;
      this.#cache.letGo(image.hash);
      return false;
    });
  }

  #holdOne(sequence: Sequence, image: EngineImage): void {
    this.#cache.hold(image);
    sequence.heldImages.push(image);
  }
}
