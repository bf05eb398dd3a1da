import type { IntervalSummary } from "./aggregate.js";
import { addCounts, emptyFlow } from "./counts.js";
import { createHistogram } from "./hdr-histogram.js";
import type { Histogram } from "./histogram.js";
import type { Block, FlowCounts, MetricName, Phase, Snapshot } from "./snapshot.js";

/** Intervals that are kept for live views. */
const KEPT_INTERVALS = 60;
/** Of the newest ones also these histograms; each is 188 KB. */
const KEPT_HISTOGRAMS = 12;
const LIVE_METRICS: readonly MetricName[] = ["ttft", "itl", "e2e"];

/** The last intervals over all agents, lined up by their run time. */
export interface RecentIntervals {
  add(snapshot: Snapshot): void;
  /** Those that every agent has delivered, oldest first. */
  complete(): readonly IntervalSummary[];
}

interface Interval extends IntervalSummary {
  toUs: number;
  agents: number;
  stage: number;
  phase: Phase;
  flow: FlowCounts;
  histograms: Map<MetricName, Histogram>;
  /** Longest time that one block had, which names the interval's stage and phase. */
  longestUs: number;
}

export function createRecentIntervals(agents: number): RecentIntervals {
  const byStart = new Map<number, Interval>();
  const pool: Histogram[] = [];
  const release = (interval: Interval): void => {
    pool.push(...interval.histograms.values());
    interval.histograms.clear();
  };
  const forgetOldest = (): void => {
    const starts = [...byStart.keys()].sort((a, b) => b - a);
    for (const [age, startUs] of starts.entries()) {
      const interval = byStart.get(startUs);
      if (interval === undefined) continue;
      if (age >= KEPT_HISTOGRAMS) release(interval);
      if (age >= KEPT_INTERVALS) byStart.delete(startUs);
    }
  };
  return {
    add: (snapshot) => {
      let interval = byStart.get(snapshot.fromUs);
      if (interval === undefined) {
        interval = emptyInterval(snapshot);
        byStart.set(snapshot.fromUs, interval);
        forgetOldest();
      }
      interval.agents += 1;
      interval.toUs = Math.max(interval.toUs, snapshot.toUs);
      for (const block of snapshot.blocks) addBlock(interval, block, pool);
    },
    complete: () =>
      [...byStart.values()].filter((one) => one.agents >= agents).sort((a, b) => a.fromUs - b.fromUs),
  };
}

function emptyInterval({ fromUs, toUs }: Snapshot): Interval {
  const flow = emptyFlow();
  return { fromUs, toUs, agents: 0, flow, stage: 0, phase: "between", histograms: new Map(), longestUs: -1 };
}

function addBlock(interval: Interval, block: Block, pool: Histogram[]): void {
  addCounts(interval.flow, block.flow);
  interval.flow.durationUs = interval.toUs - interval.fromUs;
  if (block.flow.durationUs > interval.longestUs) {
    interval.longestUs = block.flow.durationUs;
    interval.stage = block.stage;
    interval.phase = block.phase;
  }
  for (const metric of LIVE_METRICS) {
    const encoded = block.histograms[metric];
    if (encoded === undefined) continue;
    let histogram = interval.histograms.get(metric);
    if (histogram === undefined) {
      histogram = pool.pop() ?? createHistogram();
      histogram.reset();
      interval.histograms.set(metric, histogram);
    }
    histogram.mergeEncoded(encoded);
  }
}
