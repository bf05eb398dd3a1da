import type {
  QuiescentScrape,
  RunFacts,
  ServerCounters,
  ServerDurations,
  ServerSample,
  ServerTimes,
} from "../run/facts.js";
import type { RunReport, StageReport } from "../run/report.js";

/** What the target said in a level's window: gauges hold until they are read again, counters are differences. */
export function serverInWindow(
  samples: readonly ServerSample[],
  window: { readonly fromUs: number; readonly toUs: number },
): StageReport["server"] {
  const { fromUs, toUs } = window;
  const inOrder = samples.toSorted((a, b) => a.tUs - b.tUs);
  const inside = inOrder.filter(({ tUs }) => tUs >= fromUs && tUs <= toUs);
  const last = inside.at(-1);
  if (last === undefined) {
    return {
      runningMean: null,
      waitingMean: null,
      kvUsageMax: null,
      preemptions: null,
      prefixHitTokens: null,
      ttftMeanUs: null,
      itlMeanUs: null,
      e2eMeanUs: null,
    };
  }
  const base = nearest(inOrder, fromUs);
  const grown = (of: (counters: ServerCounters) => number) =>
    base === undefined || base === last ? null : growth(of(base), of(last));
  const mean = (name: keyof ServerTimes) =>
    base === undefined || base === last ? null : (timesBetween(base, last, name)?.meanUs ?? null);
  return {
    runningMean: heldMean(inside, toUs, ({ running }) => running),
    waitingMean: heldMean(inside, toUs, ({ waiting }) => waiting),
    kvUsageMax: inside.reduce((most, { kvUsage }) => Math.max(most, kvUsage), 0),
    preemptions: grown(({ preemptions }) => preemptions),
    prefixHitTokens: grown(({ prefixHits }) => prefixHits),
    ttftMeanUs: mean("ttft"),
    itlMeanUs: mean("itl"),
    e2eMeanUs: mean("e2e"),
  };
}

/** The mean of what was observed between two scrapes; null without any, or after a restart. */
export function timesBetween(
  before: ServerCounters,
  after: ServerCounters,
  name: keyof ServerTimes,
): (ServerDurations & { readonly meanUs: number }) | null {
  const [from, to] = [before.times?.[name], after.times?.[name]];
  if (!from || !to) return null;
  const count = growth(from.count, to.count);
  const sumUs = growth(from.sumUs, to.sumUs);
  return count === null || sumUs === null || count === 0 ? null : { count, sumUs, meanUs: sumUs / count };
}

/** The sample that stands for the counters at a moment. */
function nearest(samples: readonly ServerSample[], tUs: number): ServerSample | undefined {
  return samples.toSorted((a, b) => Math.abs(a.tUs - tUs) - Math.abs(b.tUs - tUs))[0];
}

function heldMean(
  samples: readonly ServerSample[],
  toUs: number,
  of: (sample: ServerSample) => number,
): number | null {
  let sum = 0;
  let lengthUs = 0;
  for (const [i, sample] of samples.entries()) {
    const heldUs = (samples[i + 1]?.tUs ?? toUs) - sample.tUs;
    sum += of(sample) * heldUs;
    lengthUs += heldUs;
  }
  const last = samples.at(-1);
  if (last === undefined) return null;
  return lengthUs === 0 ? of(last) : sum / lengthUs;
}

/** What the target counted between the scrapes; exact when nothing ran at either. */
export function serverTotals({ serverBefore, serverAfter }: RunFacts): RunReport["totals"]["server"] {
  const grown = (of: (counters: ServerCounters) => number) => difference(serverBefore, serverAfter, of);
  const counts = {
    prompt: grown(({ promptTokens }) => promptTokens),
    output: grown(({ generationTokens }) => generationTokens),
    successes: grown(({ successes }) => successes),
    prefixHitTokens: grown(({ prefixHits }) => prefixHits),
  };
  const isQuiescent = serverBefore?.quiescent === true && serverAfter?.quiescent === true;
  return { ...counts, exact: isQuiescent && Object.values(counts).every((count) => count !== null) };
}

function difference(
  before: QuiescentScrape | null,
  after: QuiescentScrape | null,
  of: (counters: ServerCounters) => number,
): number | null {
  return before === null || after === null ? null : growth(of(before.counters), of(after.counters));
}

/** Null when a counter went back: the target was restarted, and the difference says nothing. */
function growth(before: number, after: number): number | null {
  return after < before ? null : after - before;
}
