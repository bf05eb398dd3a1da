import { total } from "./counts.js";
import type { DecodedPayloads } from "./hdr-payload.js";
import {
  type Block,
  type EncodedHistogram,
  TARGET_METRICS,
  type TargetMetric,
  type TargetPart,
} from "./snapshot.js";
import { SparseHistogram } from "./sparse-histogram.js";

/** What one agent, or one target, has of a measured level. Outcome and latency of the requests due in it. */
export interface FoldedMember {
  readonly offered: number;
  readonly completed: number;
  readonly failed: number;
  readonly censored: number;
  /** Received in the window. */
  readonly outputTokens: number;
  readonly histograms: ReadonlyMap<TargetMetric, SparseHistogram>;
}

/** Adds up one member's intervals. */
export class MemberFold implements FoldedMember {
  offered = 0;
  completed = 0;
  failed = 0;
  censored = 0;
  outputTokens = 0;
  readonly histograms = new Map<TargetMetric, SparseHistogram>();

  addBlock({ due, flow, histograms }: Block, kept?: DecodedPayloads): void {
    this.#addCounts({ ...due, failed: total(due.failed), outputTokens: flow.outputTokens });
    this.#merge(histograms, kept);
  }

  addTarget(part: TargetPart, kept?: DecodedPayloads): void {
    this.#addCounts(part);
    this.#merge(part.histograms, kept);
  }

  #addCounts(
    counts: Pick<TargetPart, "offered" | "completed" | "failed" | "censored" | "outputTokens">,
  ): void {
    this.offered += counts.offered;
    this.completed += counts.completed;
    this.failed += counts.failed;
    this.censored += counts.censored;
    this.outputTokens += counts.outputTokens;
  }

  #merge(histograms: Partial<Record<TargetMetric, EncodedHistogram>>, kept?: DecodedPayloads): void {
    for (const metric of TARGET_METRICS) {
      const encoded = histograms[metric];
      if (encoded === undefined) continue;
      let histogram = this.histograms.get(metric);
      if (histogram === undefined) {
        histogram = new SparseHistogram();
        this.histograms.set(metric, histogram);
      }
      histogram.mergeChecked(encoded, kept);
    }
  }
}
