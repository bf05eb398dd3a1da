import type { ProfileName } from "../profiles.js";
import type { ImageSize } from "./image-size.js";

/** How a model turns an image into prompt tokens. */
export interface ImageRules {
  /** Of the image itself. Throws RangeError for a shape that the model's processor refuses. */
  readonly tokens: (size: ImageSize) => number;
  /** Around each image: its begin and end, and what the template puts with them. */
  readonly markers: number;
  /**
   * ENGINEERING ESTIMATE: image tokens a second through the vision tower. Two operations per parameter and patch, four
   * patches to a token, and attention among the patches come to about 7 TFLOP for 1,024 x 1,024; at a third of one
   * MI325X's BF16 peak that is 16 ms, or 60,000 tokens a second.
   */
  readonly encoderTokensPerS: number;
}

const ENCODER_TOKENS_PER_S = 60_000;

/** The models that see. */
export const imageRules: Readonly<Partial<Record<ProfileName, ImageRules>>> = {
  "qwen3-vl-235b": { tokens: qwenImageTokens, markers: 2, encoderTokensPerS: ENCODER_TOKENS_PER_S },
  // <|media_begin|> image <|media_content|> ... <|media_end|>
  "kimi-k2.5": { tokens: kimiImageTokens, markers: 4, encoderTokensPerS: ENCODER_TOKENS_PER_S },
};

const QWEN = { side: 32, leastArea: 65_536, mostArea: 16_777_216, mostAspect: 200 } as const;

/**
 * Qwen3-VL: sides to multiples of 32 (patches of 16, merged two by two), the area kept within bounds by its processor; one token
 * for each 32 x 32.
 */
export function qwenImageTokens({ width, height }: ImageSize): number {
  const { side, leastArea, mostArea, mostAspect } = QWEN;
  const aspect = Math.max(width, height) / Math.min(width, height);
  if (aspect > mostAspect) {
    throw new RangeError(`absolute aspect ratio must be smaller than ${mostAspect}, got ${aspect}`);
  }
  let [w, h] = [roundHalfEven(width / side), roundHalfEven(height / side)];
  const area = w * h * side * side;
  if (area > mostArea) {
    const beta = Math.sqrt((width * height) / mostArea);
    [w, h] = [Math.max(1, Math.floor(width / beta / side)), Math.max(1, Math.floor(height / beta / side))];
  } else if (area < leastArea) {
    const beta = Math.sqrt(leastArea / (width * height));
    [w, h] = [Math.ceil((width * beta) / side), Math.ceil((height * beta) / side)];
  }
  return w * h;
}

const KIMI = { patch: 14, merged: 28, mostPatches: 16_384, mostSide: 7168 } as const;

/** Kimi-K2.5: shrunk to at most 16,384 patches of 14 and sides of 7,168, padded to multiples of 28; a token for each 28 x 28. */
export function kimiImageTokens({ width, height }: ImageSize): number {
  const { patch, merged, mostPatches, mostSide } = KIMI;
  const patches = Math.max(1, Math.floor(width / patch)) * Math.max(1, Math.floor(height / patch));
  const scale = Math.min(1, Math.sqrt(mostPatches / patches), mostSide / width, mostSide / height);
  const across = (side: number) => Math.ceil(Math.max(1, Math.floor(side * scale)) / merged);
  return across(width) * across(height);
}

/** As Python's round does, which the processor uses. */
function roundHalfEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  if (rest !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}
