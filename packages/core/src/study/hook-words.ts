import { nearest } from "../plan/nearest.js";

/** What may stand in braces in the words of a hook. */
export interface HookPlaces {
  readonly condition: string;
  readonly suite: string;
  readonly repeat: number;
  readonly mode: string;
  readonly timeScale: number;
  /** Made of the study's: another for each condition and repeat, so that no two servers draw alike, and the same at every replay. */
  readonly seed: number;
}

const PLACE_NAMES = ["condition", "suite", "repeat", "mode", "timeScale", "seed"] as const;
const PLACE = /\{([A-Za-z]+)\}/g;

/** A hook's words with what stands in braces filled in. Braces around anything else are left alone. */
export function fillHookWords(words: readonly string[], places: HookPlaces): string[] {
  return words.map((word) =>
    word.replace(PLACE, (whole, name: string) => {
      const known = PLACE_NAMES.find((one) => one === name);
      return known === undefined ? whole : String(places[known]);
    }),
  );
}

/** A name in braces that is none of ours and looks like one: it would reach the command as it stands. */
export function misspeltPlace(words: readonly string[]): { name: string; meant: string } | undefined {
  for (const word of words) {
    for (const [, name = ""] of word.matchAll(PLACE)) {
      if (PLACE_NAMES.some((one) => one === name)) continue;
      const meant = nearest(name, PLACE_NAMES);
      if (meant !== undefined) return { name, meant };
    }
  }
  return undefined;
}
