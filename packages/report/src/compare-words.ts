import type { Comparison } from "@tokenstorm/core";
import {
  basisTexts,
  changeText,
  findingsOf,
  headline,
  isShown,
  rangeText,
  spreadTexts,
  TITLES,
  unpairedTexts,
  valueText,
} from "./compare-text.js";

// A comparison's words for who has no terminal to colour and wrap for: those of the text form.

export const comparisonHeadline = (comparison: Comparison): string => headline(comparison);

export function comparisonFindings(comparison: Comparison): {
  readonly head: string;
  readonly lines: readonly string[];
} {
  const { head, listed, rest } = findingsOf(comparison);
  return { head, lines: [...listed.map(({ text }) => text), ...(rest === null ? [] : [rest])] };
}

/** A table for each figure: a row for each level, a side's value, the change and its interval beside each other. */
export function comparisonFigureTables({ levels, sides }: Comparison) {
  const [first, ...others] = sides.map(({ label }) => label);
  const figures = levels[0]?.figures.filter(isShown) ?? [];
  return figures.map(({ name }) => ({
    name,
    title: TITLES[name],
    columns: [
      "level",
      first ?? "",
      ...others.flatMap((label) => [
        label,
        others.length > 1 ? `${label} against ${first}` : "change",
        "95 % interval",
      ]),
    ],
    rows: levels.map((level) => {
      const figure = level.figures.find((one) => one.name === name);
      if (figure === undefined) return [level.name];
      return [
        level.name,
        ...figure.values.flatMap(({ value }, i) => {
          const shown = valueText(name, value);
          if (i === 0) return [shown];
          const difference = figure.differences[i - 1];
          if (difference === undefined) return [shown, "-", "-"];
          return [shown, changeText(figure, difference), rangeText(figure, difference)];
        }),
      ];
    }),
  }));
}

/** Of levels and of the whole, and what the intervals mean. */
export function comparisonNotes(comparison: Comparison): string[] {
  return [
    ...comparison.levels.flatMap(({ name, notes }) =>
      notes.map(({ side, text }) => `${name}! ${side}: ${text}`),
    ),
    ...unpairedTexts(comparison),
    ...spreadTexts(comparison),
    ...basisTexts(
      comparison,
      comparison.sides.map(({ label }) => label),
    ),
  ];
}
