import type { MemberLatency, MemberReport, Outlier } from "../run/report.js";
import type { RunRecord } from "../run/run-record.js";
import type { FoldedBlock } from "./aggregate.js";
import { AGENTS_APART } from "./block-fold.js";
import { findOutliers, type Member } from "./outliers.js";
import { TARGETS_APART } from "./snapshot.js";
import type { SparseHistogram } from "./sparse-histogram.js";

interface Members {
  readonly byAgent: readonly MemberReport[];
  readonly byTarget: readonly MemberReport[];
  readonly notApart: { readonly agents: number; readonly targets: number };
  readonly outliers: readonly Outlier[];
}

/** A level's agents and targets beside the merged row, and which of them stand out. */
export function membersOf(block: FoldedBlock | undefined, windowUs: number, record: RunRecord): Members {
  const { shards, plan } = record;
  const { urls } = plan.target;
  const agents = shards
    .toSorted((a, b) => a.index - b.index)
    .flatMap(({ agent, index }) => memberOf(agent, block?.agents.get(index)));
  const targets = urls.flatMap((url, index) => memberOf(url, block?.targets.get(index)));
  const rows = (members: readonly Member[]) =>
    members.length < 2 ? [] : members.map((member) => rowOf(member, windowUs));
  return {
    byAgent: rows(agents),
    byTarget: rows(targets),
    notApart: {
      agents: Math.max(0, shards.length - AGENTS_APART),
      targets: Math.max(0, urls.length - TARGETS_APART),
    },
    outliers: [...findOutliers("target", targets), ...findOutliers("agent", agents)],
  };
}

function memberOf(id: string, folded: Member["folded"] | undefined): Member[] {
  return folded === undefined ? [] : [{ id, folded }];
}

function rowOf({ id, folded }: Member, windowUs: number): MemberReport {
  const { offered, completed, failed, censored, outputTokens, histograms } = folded;
  return {
    id,
    offered,
    completed,
    failed,
    censored,
    outputTokensPerS: windowUs === 0 ? 0 : (outputTokens * 1e6) / windowUs,
    latencyUs: {
      ttft: latencyOf(histograms.get("ttft")),
      itl: latencyOf(histograms.get("itl")),
      e2e: latencyOf(histograms.get("e2e")),
    },
  };
}

export function latencyOf(histogram: SparseHistogram | undefined): MemberLatency {
  if (histogram === undefined) return { count: 0, p50: null, p99: null };
  return { count: histogram.count, p50: histogram.percentile(50), p99: histogram.percentile(99) };
}
