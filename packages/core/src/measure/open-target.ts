import type { HdrHistogram } from "./hdr-histogram.js";
import { type EncodedHistogram, TARGET_METRICS, type TargetMetric, type TargetPart } from "./snapshot.js";

/** What the open interval holds of one target in one measured block. Stays the same object for the whole run. */
export class OpenTarget {
  readonly url: number;
  offered = 0;
  completed = 0;
  failed = 0;
  censored = 0;
  outputTokens = 0;
  readonly histograms = new Map<TargetMetric, HdrHistogram>();

  constructor(url: number) {
    this.url = url;
  }

  get isEmpty(): boolean {
    const { offered, completed, failed, censored, outputTokens, histograms } = this;
    return offered + completed + failed + censored === 0 && outputTokens === 0 && histograms.size === 0;
  }

  /** What it holds, encoded; each histogram is reset and handed back. What follows counts from zero. */
  close(giveBack: (histogram: HdrHistogram) => void): TargetPart {
    const histograms: Partial<Record<TargetMetric, EncodedHistogram>> = {};
    for (const metric of TARGET_METRICS) {
      const histogram = this.histograms.get(metric);
      if (histogram === undefined) continue;
      histograms[metric] = histogram.encode();
      giveBack(histogram);
    }
    this.histograms.clear();
    const { url, offered, completed, failed, censored, outputTokens } = this;
    this.offered = 0;
    this.completed = 0;
    this.failed = 0;
    this.censored = 0;
    this.outputTokens = 0;
    return { url, offered, completed, failed, censored, outputTokens, histograms };
  }
}
