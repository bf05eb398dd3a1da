import { type Images, parseImageSize } from "../plan/schema-images.js";
import { type Random, type RandomState, STREAMS } from "../random/random.js";
import type { Draws } from "./draws.js";
import type { Coordinates, ImageSpec } from "./request-spec.js";

interface Size {
  readonly width: number;
  readonly height: number;
  /** Of this size and those before it, of all weights. */
  readonly upTo: number;
}

/** Draws the images of requests: how many, of which size, with what in them. */
export class ImageDraw {
  readonly #images: Images;
  readonly #sizes: readonly Size[];
  readonly #draws: Draws;

  constructor(images: Images, draws: Draws) {
    this.#images = images;
    this.#draws = draws;
    this.#sizes = imageSizes(images);
  }

  imagesFor(at: Coordinates): readonly ImageSpec[] {
    const count = this.#count(at);
    const sizes = this.#draws.seeded(STREAMS.imageSize, at);
    return Array.from({ length: count }, (_, i) => {
      const { width, height } = this.#drawSize(sizes);
      return { width, height, state: this.#state(at, i) };
    });
  }

  #count(at: Coordinates): number {
    const { count } = this.#images;
    if (typeof count === "number") return count;
    const { min, max } = count;
    return min + this.#draws.seeded(STREAMS.imageCount, at).nextBelow(max - min + 1);
  }

  #drawSize(random: Random): Size {
    const drawn = this.#sizes.length === 1 ? 0 : random.nextUniform();
    const found = this.#sizes.find(({ upTo }) => drawn < upTo) ?? this.#sizes.at(-1);
    return found ?? { width: 1, height: 1, upTo: 1 };
  }

  #state(at: Coordinates, i: number): RandomState {
    return this.#images.content === "unique"
      ? this.#draws.saltedState(STREAMS.imageContent, [...at, i])
      : this.#draws.commonState(STREAMS.imageContent, [i]);
  }
}

/** Sizes that a plan's images can have, with the part of the weights up to each. */
export function imageSizes({ size }: Images): readonly Size[] {
  const listed = typeof size === "string" ? [{ size, weight: 1 }] : size;
  const weights = listed.reduce((sum, { weight }) => sum + weight, 0);
  let before = 0;
  return listed.map(({ size: text, weight }) => {
    before += weight;
    return { ...(parseImageSize(text) ?? { width: 1, height: 1 }), upTo: before / weights };
  });
}
