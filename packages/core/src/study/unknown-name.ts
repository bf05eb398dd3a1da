import { nearest } from "../plan/nearest.js";
import { shown } from "../plan/problem.js";

/** The words for a name that is not there, with the one that was probably meant. */
export function unknownName(name: string, what: string, known: readonly string[]): string {
  const near = nearest(name, known);
  return `${shown(name)} is no ${what}${near === undefined ? `: there are ${known.join(", ")}` : `: did you mean ${near}?`}`;
}
