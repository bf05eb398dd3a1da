import { assert } from "../errors.js";
import { WORDS } from "./words.js";

/** What a target's tokenizer makes of our words; null where it is not known. */
export interface Calibration {
  /** Null: one word is taken for one token. */
  readonly wordsPerToken: number | null;
  /** Tokens that the chat template adds around the user's text; null: none are allowed for. */
  readonly templateTokens: number | null;
}

export const NO_CALIBRATION: Calibration = { wordsPerToken: null, templateTokens: null };

/** A good length for the calibration text: every word of the list, twice. */
export const CALIBRATION_WORDS = 1024;

/** Sends the list's words in a mixed, fixed order; a whole number of lists has exactly the mean tokens per word. */
export function calibrationText(words: number): string {
  // The stride is odd, so that 512 steps visit every word once.
  return Array.from({ length: words }, (_, i) => WORDS[(i * STRIDE) % WORDS.length] ?? "").join(" ");
}

const STRIDE = 197;

/**
 * From what /tokenize counted. `textTokens`: tokens of calibrationText(words) as a plain prompt, without special
 * tokens. `chatTokens`: tokens of a chat whose one user message is that text; null when it was not asked.
 */
export function calibrationFrom(counted: {
  readonly words: number;
  readonly textTokens: number;
  readonly chatTokens: number | null;
}): Calibration {
  const { words, textTokens, chatTokens } = counted;
  assert(words > 0 && textTokens > 0, `no calibration from ${words} words and ${textTokens} tokens`);
  return {
    wordsPerToken: words / textTokens,
    templateTokens: chatTokens === null ? null : Math.max(0, chatTokens - textTokens),
  };
}

/**
 * The same from two chats whose user messages are calibrationText of two lengths, where only chats can be counted:
 * the slope is the tokens per word, the rest is the template.
 */
export function calibrationFromChats(
  short: { readonly words: number; readonly chatTokens: number },
  long: { readonly words: number; readonly chatTokens: number },
): Calibration {
  const tokens = long.chatTokens - short.chatTokens;
  const words = long.words - short.words;
  assert(words > 0 && tokens > 0, `no calibration from ${words} more words and ${tokens} more tokens`);
  const tokensPerWord = tokens / words;
  return {
    wordsPerToken: 1 / tokensPerWord,
    templateTokens: Math.max(0, Math.round(short.chatTokens - short.words * tokensPerWord)),
  };
}

/** How many words to send so that the prompt, the template included, comes to `promptTokens`. At least one. */
export function wordsFor(promptTokens: number, calibration: Calibration): number {
  const textTokens = Math.max(1, promptTokens - (calibration.templateTokens ?? 0));
  return Math.max(1, Math.round(textTokens * (calibration.wordsPerToken ?? 1)));
}
