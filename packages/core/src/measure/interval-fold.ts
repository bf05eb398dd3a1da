import { addDue, addFlow } from "./block-fold.js";
import { emptyDue, emptyFlow } from "./counts.js";
import {
  type DueCounts,
  type FlowCounts,
  METRICS,
  type MetricName,
  PHASES,
  type Phase,
  type Snapshot,
} from "./snapshot.js";
import { SparseHistogram } from "./sparse-histogram.js";

/** One (stage, phase) within one interval of a run, over all agents. */
export interface FoldedInterval {
  /** Run time, us. */
  readonly fromUs: number;
  readonly toUs: number;
  readonly stage: number;
  readonly phase: Phase;
  /** Agents that had a part in it. */
  readonly agents: number;
  /** `durationUs` is the longest of the agents', since they run side by side. */
  readonly flow: FlowCounts;
  readonly due: DueCounts;
  /** What was recorded in the interval, of requests that were due in this stage and phase. */
  readonly histograms: ReadonlyMap<MetricName, SparseHistogram>;
}

interface Open {
  /** The latest of the agents': who finished in it has a short one. */
  toUs: number;
  readonly agents: Set<string>;
  readonly blocks: Map<number, OpenBlock>;
}

interface OpenBlock extends FoldedInterval {
  agents: number;
  toUs: number;
  readonly histograms: Map<MetricName, SparseHistogram>;
}

/**
 * A run interval by interval, for exports: intervals leave as soon as all agents have delivered them and those before, so that a
 * long run need not be held. Each snapshot must be added once, after an aggregate has checked and folded it.
 */
export class IntervalFold {
  readonly #agents: number;
  readonly #open = new Map<number, Open>();
  /** Where the first interval that has not left begins: intervals follow each other from time zero on. */
  #next = 0;

  constructor(agents: number) {
    this.#agents = agents;
  }

  add({ agent, fromUs, toUs, blocks }: Snapshot): void {
    let open = this.#open.get(fromUs);
    if (open === undefined) {
      open = { toUs, agents: new Set(), blocks: new Map() };
      this.#open.set(fromUs, open);
    }
    open.agents.add(agent);
    open.toUs = Math.max(open.toUs, toUs);
    for (const { stage, phase, flow, due, histograms } of blocks) {
      const key = stage * PHASES.length + PHASES.indexOf(phase);
      let block = open.blocks.get(key);
      if (block === undefined) {
        const empty = { flow: emptyFlow(), due: emptyDue(), histograms: new Map() };
        block = { fromUs, toUs, stage, phase, agents: 0, ...empty };
        open.blocks.set(key, block);
      }
      block.agents += 1;
      block.toUs = Math.max(block.toUs, toUs);
      addFlow(block.flow, flow);
      block.flow.durationUs = Math.max(block.flow.durationUs, flow.durationUs);
      block.flow.inFlightMin += flow.inFlightMin;
      block.flow.inFlightMax += flow.inFlightMax;
      addDue(block.due, due);
      for (const metric of METRICS) {
        const encoded = histograms[metric];
        if (encoded === undefined) continue;
        const merged = block.histograms.get(metric) ?? new SparseHistogram();
        merged.mergeChecked(encoded);
        block.histograms.set(metric, merged);
      }
    }
  }

  /** Those at the front that are complete, in the order of time; they are not kept. */
  takeComplete(): FoldedInterval[] {
    const complete: number[] = [];
    for (;;) {
      const open = this.#open.get(this.#next);
      if (open === undefined || open.agents.size < this.#agents) return this.#take(complete);
      complete.push(this.#next);
      if (open.toUs <= this.#next) return this.#take(complete);
      this.#next = open.toUs;
    }
  }

  /** All that is left, once there is nothing more to add. */
  takeRest(): FoldedInterval[] {
    return this.#take(this.#starts());
  }

  #starts(): number[] {
    return [...this.#open.keys()].sort((a, b) => a - b);
  }

  #take(starts: readonly number[]): FoldedInterval[] {
    return starts.flatMap((start) => {
      const blocks = this.#open.get(start)?.blocks ?? new Map<number, OpenBlock>();
      this.#open.delete(start);
      return [...blocks.entries()].sort(([a], [b]) => a - b).map(([, block]) => block);
    });
  }
}
