import type { IntervalSummary } from "./aggregate.js";
import { addFlow } from "./block-fold.js";
import { emptyFlow } from "./counts.js";
import { HdrHistogram } from "./hdr-histogram.js";
import { type Block, type MetricName, PHASES, type Phase, type Snapshot } from "./snapshot.js";

/** Intervals that are kept for live views. */
const KEPT_INTERVALS = 60;
/** The newest of them keep histograms too, of what live views show; each takes 188 KB. */
const KEPT_HISTOGRAMS = 12;
const LIVE_METRICS: readonly MetricName[] = ["ttft", "itl", "e2e"];

interface Interval extends IntervalSummary {
  toUs: number;
  agents: number;
  stage: number;
  phase: Phase;
  readonly histograms: Map<MetricName, HdrHistogram>;
  /** Time by (stage, phase); the longest names the interval. */
  readonly shares: Share[];
}

interface Share {
  readonly stage: number;
  readonly phase: Phase;
  durationUs: number;
}

/** The last intervals over all agents, lined up by their run time. */
export class RecentIntervals {
  readonly #byStart = new Map<number, Interval>();
  readonly #idle: HdrHistogram[] = [];

  /** One agent's part; its histograms were checked. */
  add(snapshot: Snapshot): void {
    // An interval without length has no rates, and the start of the one after it.
    if (snapshot.toUs === snapshot.fromUs) return;
    const interval = this.#byStart.get(snapshot.fromUs) ?? this.#open(snapshot.fromUs);
    interval.agents += 1;
    interval.toUs = Math.max(interval.toUs, snapshot.toUs);
    addBounds(interval, snapshot.blocks);
    for (const block of snapshot.blocks) this.#addBlock(interval, block);
    interval.flow.durationUs = interval.toUs - interval.fromUs;
    this.#forgetOldest();
  }

  /**
   * Those that every agent has delivered, oldest first. `endsUs`: for each agent the run time after which nothing
   * comes of it, null while unknown; the last interval of a run is short, and some agents may have none.
   */
  complete(endsUs: readonly (number | null)[]): readonly IntervalSummary[] {
    const isComplete = ({ agents, fromUs }: Interval) =>
      agents + endsUs.filter((endUs) => endUs !== null && endUs <= fromUs).length >= endsUs.length;
    return [...this.#byStart.values()].filter(isComplete).sort((a, b) => a.fromUs - b.fromUs);
  }

  #open(fromUs: number): Interval {
    const interval: Interval = {
      fromUs,
      toUs: fromUs,
      agents: 0,
      flow: emptyFlow(),
      stage: 0,
      phase: "between",
      histograms: new Map(),
      shares: [],
    };
    this.#byStart.set(fromUs, interval);
    return interval;
  }

  #addBlock(interval: Interval, block: Block): void {
    addFlow(interval.flow, block.flow);
    addShare(interval, block);
    for (const metric of LIVE_METRICS) {
      const encoded = block.histograms[metric];
      if (encoded === undefined) continue;
      let histogram = interval.histograms.get(metric);
      if (histogram === undefined) {
        histogram = this.#idle.pop() ?? new HdrHistogram();
        interval.histograms.set(metric, histogram);
      }
      histogram.mergeChecked(encoded);
    }
  }

  #forgetOldest(): void {
    const newestFirst = [...this.#byStart.values()].sort((a, b) => b.fromUs - a.fromUs);
    for (const interval of newestFirst.slice(KEPT_HISTOGRAMS)) {
      for (const histogram of interval.histograms.values()) {
        histogram.reset();
        this.#idle.push(histogram);
      }
      interval.histograms.clear();
    }
    for (const { fromUs } of newestFirst.slice(KEPT_INTERVALS)) this.#byStart.delete(fromUs);
  }
}

/** Least and most in flight at one agent, over all that the interval was to it. */
function addBounds({ flow }: Interval, blocks: readonly Block[]): void {
  const flows = blocks.map((block) => block.flow).filter(({ durationUs }) => durationUs > 0);
  if (flows.length === 0) return;
  flow.inFlightMin += Math.min(...flows.map(({ inFlightMin }) => inFlightMin));
  flow.inFlightMax += Math.max(...flows.map(({ inFlightMax }) => inFlightMax));
}

function addShare(interval: Interval, { stage, phase, flow }: Block): void {
  let share = interval.shares.find((one) => one.stage === stage && one.phase === phase);
  if (share === undefined) {
    share = { stage, phase, durationUs: 0 };
    interval.shares.push(share);
  }
  share.durationUs += flow.durationUs;
  const [longest] = interval.shares.toSorted(
    (a, b) =>
      b.durationUs - a.durationUs || b.stage - a.stage || PHASES.indexOf(b.phase) - PHASES.indexOf(a.phase),
  );
  if (longest === undefined) return;
  interval.stage = longest.stage;
  interval.phase = longest.phase;
}
