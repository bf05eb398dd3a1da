import type { ClaimedRow } from "../audit-types.js";
import { type Figure, printedFigure } from "../figure.js";

/** A closed loop whose truth is known: `users` take requests from one queue of `requests`, one after the other. */
export interface ClosedLoop {
  readonly users: number;
  readonly requests: number;
  readonly latenciesS: readonly number[];
  readonly durationS: number;
  readonly meanInFlight: number;
  readonly maxInFlight: number;
}

/** Runs it in virtual time. */
export function closedLoop(
  users: number,
  requests: number,
  latencyS: (request: number) => number,
): ClosedLoop {
  const freeAtS = new Array<number>(Math.min(users, requests)).fill(0);
  const latenciesS: number[] = [];
  for (let request = 0; request < requests; request += 1) {
    let first = 0;
    for (let user = 1; user < freeAtS.length; user += 1) {
      if ((freeAtS[user] ?? 0) < (freeAtS[first] ?? 0)) first = user;
    }
    const took = latencyS(request);
    latenciesS.push(took);
    freeAtS[first] = (freeAtS[first] ?? 0) + took;
  }
  const durationS = Math.max(...freeAtS);
  const sumS = latenciesS.reduce((sum, one) => sum + one, 0);
  return {
    users,
    requests,
    latenciesS,
    durationS,
    meanInFlight: sumS / durationS,
    maxInFlight: Math.min(users, requests),
  };
}

/** What a table shows of it. */
export interface Shown {
  readonly mean: boolean;
  readonly percentiles: readonly number[];
  readonly max: boolean;
  readonly requests: boolean;
  readonly duration: boolean;
  /** Tokens of every request, where the table gives tokens per second in place of requests. */
  readonly tokens?: number | undefined;
  readonly digits: number;
  readonly percentileRule: PercentileRule;
}

export const PERCENTILE_RULES = ["nearest-rank", "linear", "exclusive", "index"] as const;
export type PercentileRule = (typeof PERCENTILE_RULES)[number];

/** The row that a table would print, every figure rounded to so many significant digits. */
export function printedRow(loop: ClosedLoop, claimed: number, shown: Shown): ClaimedRow {
  const figure = (value: number): Figure => printed(value, shown.digits);
  const perS = loop.requests / loop.durationS;
  const sorted = [...loop.latenciesS].sort((a, b) => a - b);
  const mean = loop.latenciesS.reduce((sum, one) => sum + one, 0) / loop.requests;
  return {
    label: `c=${claimed}`,
    concurrency: claimed,
    requests: shown.requests ? loop.requests : undefined,
    durationS: shown.duration ? figure(loop.durationS) : undefined,
    ...(shown.tokens === undefined
      ? { requestsPerS: figure(perS) }
      : { outputTokensPerS: figure(perS * shown.tokens), outputTokensPerRequest: figure(shown.tokens) }),
    latencyS: {
      mean: shown.mean ? figure(mean) : undefined,
      max: shown.max ? figure(sorted.at(-1) ?? 0) : undefined,
      percentiles: shown.percentiles.map((percentile) => ({
        percentile,
        value: figure(percentileOf(sorted, percentile / 100, shown.percentileRule)),
      })),
    },
  };
}

function printed(value: number, digits: number): Figure {
  const figure = printedFigure(value.toExponential(digits - 1));
  if (figure === undefined) throw new Error(`cannot print ${value}`);
  return figure;
}

/** The rules that tools take for a percentile of a sample. */
export function percentileOf(sorted: readonly number[], p: number, rule: PercentileRule): number {
  const n = sorted.length;
  const at = (index: number) => sorted[Math.min(n - 1, Math.max(0, index))] ?? 0;
  const between = (position: number) => {
    const low = Math.floor(position);
    return at(low) + (at(low + 1) - at(low)) * Math.min(1, Math.max(0, position - low));
  };
  switch (rule) {
    case "nearest-rank":
      return at(Math.ceil(p * n) - 1);
    case "linear":
      return between(p * (n - 1));
    case "exclusive":
      return between(p * (n + 1) - 1);
    case "index":
      return at(Math.floor(p * n));
  }
}
