import { tokenOfPiece } from "./tokenizer.js";

/** The words that come out, each one token, with the ids the tokenizer would give them. */
export interface Vocabulary {
  readonly words: readonly string[];
  readonly tokens: readonly number[];
  readonly wordByToken: ReadonlyMap<number, string>;
}

const CONSONANTS = "bdfgklmnprstvz";
const VOWELS = "aeiou";
/** Two, three and four bytes of UTF-8: a client that splits or counts bytes wrongly shows it here. */
const MULTI_BYTE_WORDS = ["né", "über", "日本", "語", "Ω", "🙂", "naïve", "ça"];
const MULTI_BYTE_EVERY = 8;

/** 980 words of two to four ASCII letters; with `multiByte` every eighth is replaced by a longer spelling. */
export function createVocabulary(options: { readonly multiByte: boolean }): Vocabulary {
  const syllables: string[] = [];
  for (const consonant of CONSONANTS) for (const vowel of VOWELS) syllables.push(consonant + vowel);
  const words: string[] = [];
  for (const first of syllables) {
    words.push(first);
    for (let i = 0; i < CONSONANTS.length - 1; i++)
      words.push(first + (syllables[i * VOWELS.length + 2] ?? ""));
  }
  if (options.multiByte) {
    for (let i = 0; i < words.length; i += MULTI_BYTE_EVERY) {
      words[i] = MULTI_BYTE_WORDS[(i / MULTI_BYTE_EVERY) % MULTI_BYTE_WORDS.length] ?? "né";
    }
  }
  const tokens = words.map(tokenOfPiece);
  return { words, tokens, wordByToken: new Map(tokens.map((token, i) => [token, words[i] ?? ""])) };
}
