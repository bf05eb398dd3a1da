import type { ResolvedStage } from "../load/stages.js";
import type { Aggregate, FoldedBlock } from "../measure/aggregate.js";
import { total } from "../measure/counts.js";
import type { MetricName } from "../measure/snapshot.js";
import type { LiveStage, LiveSum } from "./live.js";

/** A plan may have a thousand stages; the message that carries them must stay below a megabyte. */
const MOST_STAGES = 200;

/** Each stage of which anything was measured, over all its phases: the last ones, where there are too many. */
export function liveStages(stages: readonly ResolvedStage[], aggregate: Aggregate): LiveStage[] {
  const byStage = new Map<number, FoldedBlock[]>();
  for (const block of aggregate.blocks()) {
    const blocks = byStage.get(block.stage);
    if (blocks === undefined) byStage.set(block.stage, [block]);
    else blocks.push(block);
  }
  return [...byStage]
    .sort(([a], [b]) => a - b)
    .slice(-MOST_STAGES)
    .map(([index, blocks]) => liveStage(index, stages[index]?.name ?? String(index), blocks));
}

function liveStage(index: number, name: string, blocks: readonly FoldedBlock[]): LiveStage {
  const sum = (read: (block: FoldedBlock) => number) =>
    blocks.reduce((before, block) => before + read(block), 0);
  const latency = (metric: MetricName): LiveSum => ({
    count: sum(({ histograms }) => histograms.get(metric)?.count ?? 0),
    sum: sum(({ histograms }) => histograms.get(metric)?.sum ?? 0),
  });
  return {
    index,
    name,
    offered: sum(({ due }) => due.offered),
    completed: sum(({ due }) => due.completed),
    failed: sum(({ due }) => total(due.failed)),
    cancelled: sum(({ due }) => due.cancelled),
    dropped: sum(({ due }) => total(due.dropped)),
    unknown: sum(({ due }) => due.unknown),
    censored: sum(({ due }) => due.censored),
    outputTokens: sum(({ flow }) => flow.outputTokens),
    promptTokens: sum(({ flow }) => flow.promptTokens),
    latencyUs: { ttft: latency("ttft"), itl: latency("itl"), e2e: latency("e2e") },
  };
}
