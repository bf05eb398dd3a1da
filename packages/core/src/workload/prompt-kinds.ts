import type { Random } from "../random/random.js";
import { type Calibration, wordsFor } from "./calibration.js";
import { WORDS } from "./words.js";

/** A prompt as the API takes it: completions by token ids, chat by text. */
export type Prompt =
  | { readonly kind: "token-ids"; readonly ids: readonly number[] }
  | { readonly kind: "text"; readonly text: string };

/** How prompts are made of units: token ids, or words. */
export interface PromptKind {
  /** So many units, together at least 62 bits, keep two salted beginnings apart. */
  readonly headUnits: number;
  /** Units of a whole prompt of so many tokens, the chat template included. */
  unitsOfPrompt(tokens: number, calibration: Calibration): number;
  /** Units of so many tokens of the user's text. */
  unitsOfText(tokens: number, calibration: Calibration): number;
  /** Appends `count` random units. */
  draw(units: number[], random: Random, count: number): void;
  prompt(units: readonly number[]): Prompt;
}

/** Ordinary ids of every usual vocabulary: above the special and byte tokens, below the smallest vocabulary's end. */
const FIRST_ID = 1000;
const ID_COUNT = 29_000;
const TWO_32 = 0x1_0000_0000;

/** 5 x 14.8 bits. */
export const TOKEN_IDS: PromptKind = {
  headUnits: 5,
  unitsOfPrompt: (tokens) => tokens,
  unitsOfText: (tokens) => tokens,
  draw: (units, random, count) => {
    for (let i = 0; i < count; i += 1) {
      units.push(FIRST_ID + Math.floor(((random.nextInt32() >>> 0) * ID_COUNT) / TWO_32));
    }
  },
  prompt: (units) => ({ kind: "token-ids", ids: units }),
};

/** 7 x 9 bits. */
export const WORD_TEXT: PromptKind = {
  headUnits: 7,
  unitsOfPrompt: wordsFor,
  unitsOfText: (tokens, { wordsPerToken }) => wordsFor(tokens, { wordsPerToken, templateTokens: null }),
  draw: (units, random, count) => {
    for (let i = 0; i < count; i += 1) units.push(random.nextInt32() >>> 23);
  },
  prompt: (units) => {
    let text = "";
    for (const unit of units) text += text === "" ? WORDS[unit] : ` ${WORDS[unit]}`;
    return { kind: "text", text };
  },
};
