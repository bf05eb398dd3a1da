import { emptyDue, emptyFlow } from "./counts.js";
import { HdrHistogram } from "./hdr-histogram.js";
import { OpenTarget } from "./open-target.js";
import {
  type Block,
  type DueCounts,
  type EncodedHistogram,
  type FlowCounts,
  isCounted,
  METRICS,
  type MetricName,
  PHASES,
  type Phase,
  TARGETS_APART,
  type TargetMetric,
  type TargetPart,
  WORK_METRICS,
  type WorkMetric,
  type WorkPart,
} from "./snapshot.js";
import { emptyWork, isEmptyWork } from "./work-part.js";

/** What the open interval holds of one (stage, phase). Stays the same object for the whole run; its counts do not. */
export class OpenBlock {
  readonly stage: number;
  readonly phase: Phase;
  flow: FlowCounts = emptyFlow();
  due: DueCounts = emptyDue();
  readonly histograms = new Map<MetricName, HdrHistogram>();
  /** By URL, those kept apart that were ever used; none but in measured blocks. */
  readonly targets: (OpenTarget | undefined)[] = [];
  /** By member of the workload, those that were ever used. */
  readonly work: (WorkPart | undefined)[] = [];
  readonly workHistograms: (Map<WorkMetric, HdrHistogram> | undefined)[] = [];
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

  /** A target's part of a block; null where it is not kept apart. `url`: -1, or below TARGETS_APART. */
  target(block: OpenBlock, url: number): OpenTarget | null {
    if (url < 0 || url >= TARGETS_APART || block.phase !== "measured") return null;
    const found = block.targets[url];
    if (found !== undefined) return found;
    const target = new OpenTarget(url);
    block.targets[url] = target;
    return target;
  }

  /** A member's part of a block, which has been touched; null where members are not kept apart (-1). */
  work(block: OpenBlock, member: number): WorkPart | null {
    if (member < 0) return null;
    const found = block.work[member];
    if (found !== undefined) return found;
    const work = emptyWork(member);
    block.work[member] = work;
    return work;
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

  /** Beside `record` for the block as a whole, which has touched it. */
  recordTarget(target: OpenTarget, metric: TargetMetric, value: number, times = 1): void {
    let histogram = target.histograms.get(metric);
    if (histogram === undefined) {
      histogram = this.#idle.pop() ?? new HdrHistogram();
      target.histograms.set(metric, histogram);
    }
    histogram.record(value, times);
  }

  /** Beside `record` for the block as a whole, which has touched it; nothing where members are not kept apart (-1). */
  recordWork(
    block: OpenBlock,
    of: { readonly member: number; readonly metric: WorkMetric },
    value: number,
  ): void {
    const { member, metric } = of;
    if (member < 0 || block.phase !== "measured") return;
    const histograms = block.workHistograms[member] ?? new Map<WorkMetric, HdrHistogram>();
    block.workHistograms[member] = histograms;
    const histogram = histograms.get(metric) ?? this.#idle.pop() ?? new HdrHistogram();
    histograms.set(metric, histogram);
    histogram.record(value);
  }

  get isEmpty(): boolean {
    return this.#touched.length === 0;
  }

  /** Samples of all intervals that were cut, of the metrics whose samples a final counts. */
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
      if (isCounted(metric)) this.#samples += histogram.count;
      this.#giveBack(histogram);
    }
    const targets = this.#closeTargets(block);
    const work = this.#closeWork(block);
    const { stage, phase, flow, due } = block;
    block.flow = emptyFlow();
    block.due = emptyDue();
    block.histograms.clear();
    block.touched = false;
    block.hasFlow = false;
    return {
      ...{ stage, phase, flow, due, histograms },
      ...(targets.length === 0 ? {} : { targets }),
      ...(work.length === 0 ? {} : { work }),
    };
  }

  #closeTargets({ targets }: OpenBlock): TargetPart[] {
    const parts: TargetPart[] = [];
    for (const target of targets) {
      if (target === undefined || target.isEmpty) continue;
      parts.push(target.close((histogram) => this.#giveBack(histogram)));
    }
    return parts;
  }

  #closeWork({ work, workHistograms }: OpenBlock): WorkPart[] {
    const parts: WorkPart[] = [];
    // A first token may be all that an interval has of a member.
    for (let member = 0; member < Math.max(work.length, workHistograms.length); member += 1) {
      const part = work[member];
      const measured = workHistograms[member];
      if (measured === undefined) {
        if (part !== undefined && !isEmptyWork(part)) parts.push(part);
        continue;
      }
      const histograms: Partial<Record<WorkMetric, EncodedHistogram>> = {};
      for (const metric of WORK_METRICS) {
        const histogram = measured.get(metric);
        if (histogram === undefined) continue;
        histograms[metric] = histogram.encode();
        this.#giveBack(histogram);
      }
      parts.push({ ...(part ?? emptyWork(member)), histograms });
    }
    work.length = 0;
    workHistograms.length = 0;
    return parts;
  }

  #giveBack(histogram: HdrHistogram): void {
    histogram.reset();
    this.#idle.push(histogram);
  }
}
