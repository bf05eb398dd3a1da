import type { Compared } from "./compatible.js";

/** How far a group of rows is off, in percent, whatever the sign. */
export interface GroupError {
  readonly rows: number;
  readonly maxPct: number;
  readonly meanPct: number;
}

interface TwoFigures {
  readonly totalTokensPerS: Compared;
  readonly p99S: Compared;
}

/** Greatest and mean error of both figures of all rows. */
export function errorOf(rows: readonly TwoFigures[]): GroupError {
  const errors = rows.flatMap(({ totalTokensPerS, p99S }) =>
    [totalTokensPerS, p99S].map(({ differencePct }) => Math.abs(differencePct)),
  );
  return {
    rows: rows.length,
    maxPct: Math.max(...errors),
    meanPct: errors.reduce((sum, error) => sum + error, 0) / errors.length,
  };
}

export const errorText = ({ rows, maxPct, meanPct }: GroupError): string =>
  `${rows} rows, error ${meanPct.toFixed(1)} % on average, ${maxPct.toFixed(1)} % at most`;
