import {
  CALIBRATION_WORDS,
  type Calibration,
  calibrationFrom,
  calibrationFromChats,
  calibrationText,
  NO_CALIBRATION,
} from "@tokenstorm/core";
import { type CallAnswer, call, type Line } from "./call.js";

/** For servers without /tokenize: two texts, the longer of which is one whole list of words. */
const SHORT_WORDS = 16;
const LONG_WORDS = 512;

/**
 * Finds how many of our words make a token and what the chat template adds, by /tokenize where there is one, else by
 * the prompt tokens of two small chats (`chatTokens`: null when the server does not tell). Nothing is known where
 * neither answers. The same on every agent, as long as the target answers the same.
 */
export async function calibrate(options: {
  readonly line: Line;
  readonly model: string;
  readonly chatTokens: (text: string) => Promise<number | null>;
}): Promise<Calibration> {
  const { line, model, chatTokens } = options;
  const text = calibrationText(CALIBRATION_WORDS);
  const textTokens = countOf(
    await call(line, "/tokenize", { model, prompt: text, add_special_tokens: false }),
  );
  if (textTokens !== null) {
    const messages = [{ role: "user", content: text }];
    const counted = countOf(await call(line, "/tokenize", { model, messages }));
    return calibrationFrom({ words: CALIBRATION_WORDS, textTokens, chatTokens: counted });
  }
  const short = await chatTokens(calibrationText(SHORT_WORDS));
  const long = short === null ? null : await chatTokens(calibrationText(LONG_WORDS));
  if (short === null || long === null || long <= short) return NO_CALIBRATION;
  return calibrationFromChats(
    { words: SHORT_WORDS, chatTokens: short },
    { words: LONG_WORDS, chatTokens: long },
  );
}

function countOf({ status, text }: CallAnswer): number | null {
  if (status !== 200) return null;
  try {
    const parsed: { readonly count?: unknown } | null = JSON.parse(text);
    const count = parsed?.count;
    return typeof count === "number" && Number.isSafeInteger(count) && count > 0 ? count : null;
  } catch {
    return null;
  }
}
