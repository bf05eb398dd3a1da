import { emptyDue, emptyFlow } from "./counts.js";
import { HdrHistogram } from "./hdr-histogram.js";
import {
  type Block,
  type DueCounts,
  type EncodedHistogram,
  type FlowCounts,
  METRICS,
  type MetricName,
  PHASES,
  type Phase,
} from "./snapshot.js";

/** What the open interval holds of one (stage, phase). Stays the same object for the whole run; its counts do not. */
export class OpenBlock {
  readonly stage: number;
  readonly phase: Phase;
  flow: FlowCounts = emptyFlow();
  due: DueCounts = emptyDue();
  readonly histograms = new Map<MetricName, HdrHistogram>();
  /** It has something in it, and so will be in the next snapshot. */
  touched = false;
  /** Its in-flight minimum and maximum are those of time spent in it. */
  hasFlow = false;

  constructor(stage: number, phase: Phase) {
    this.stage = stage;
    this.phase = phase;
  }
}

/** The blocks of a recorder's open interval, and the histograms that they take turns to use. */
export class BlockBook {
  readonly #blocks = new Map<number, OpenBlock>();
  readonly #touched: OpenBlock[] = [];
  /** As many as were ever in use at once. */
  readonly #idle: HdrHistogram[] = [];
  #samples = 0;

  block(stage: number, phase: Phase): OpenBlock {
    const key = stage * PHASES.length + PHASES.indexOf(phase);
    const found = this.#blocks.get(key);
    if (found !== undefined) return found;
    const block = new OpenBlock(stage, phase);
    this.#blocks.set(key, block);
    return block;
  }

  touch(block: OpenBlock): void {
    if (block.touched) return;
    block.touched = true;
    this.#touched.push(block);
  }

  record(block: OpenBlock, metric: MetricName, value: number, times = 1): void {
    const histogram = block.histograms.get(metric) ?? this.#open(block, metric);
    histogram.record(value, times);
  }

  get isEmpty(): boolean {
    return this.#touched.length === 0;
  }

  /** Samples of all intervals that were cut. */
  get samples(): number {
    return this.#samples;
  }

  /** The touched blocks, encoded, by stage and phase; what follows counts from zero. */
  cut(): Block[] {
    this.#touched.sort((a, b) => a.stage - b.stage || PHASES.indexOf(a.phase) - PHASES.indexOf(b.phase));
    const blocks = this.#touched.map((block) => this.#close(block));
    this.#touched.length = 0;
    return blocks;
  }

  #open(block: OpenBlock, metric: MetricName): HdrHistogram {
    const histogram = this.#idle.pop() ?? new HdrHistogram();
    block.histograms.set(metric, histogram);
    this.touch(block);
    return histogram;
  }

  #close(block: OpenBlock): Block {
    const histograms: Partial<Record<MetricName, EncodedHistogram>> = {};
    for (const metric of METRICS) {
      const histogram = block.histograms.get(metric);
      if (histogram === undefined) continue;
      histograms[metric] = histogram.encode();
      this.#samples += histogram.count;
      histogram.reset();
      this.#idle.push(histogram);
    }
    const { stage, phase, flow, due } = block;
    block.flow = emptyFlow();
    block.due = emptyDue();
    block.histograms.clear();
    block.touched = false;
    block.hasFlow = false;
    return { stage, phase, flow, due, histograms };
  }
}
