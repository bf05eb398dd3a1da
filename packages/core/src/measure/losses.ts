import type { ResolvedStage } from "../load/stages.js";
import type { LossReport } from "../run/report.js";
import type { RunRecord } from "../run/run-record.js";
import { openLosses } from "../run/shard-map.js";

/** Agents without which the run went on, in the order in which they were lost. */
export function lossesOf(record: RunRecord, stages: readonly ResolvedStage[]): LossReport[] {
  const { losses = [], moves = [] } = record;
  return losses.map(({ agent, lastHeardUs, lostUs, foundUs, reason, times }) => {
    const move = foundUs === null ? moves.find(({ lost }) => lost === agent) : undefined;
    return {
      agent,
      lastHeardMs: lastHeardUs / 1000,
      lostAtMs: lostUs / 1000,
      foundAtMs: foundUs === null ? null : foundUs / 1000,
      reason,
      ...(times === undefined ? {} : { times }),
      takenOver:
        move === undefined
          ? null
          : {
              fromStage: stages[move.fromStage]?.name ?? String(move.fromStage),
              by: [...new Set(move.to.map((part) => part.agent))],
            },
    };
  });
}

/** Agents that a sentence each is worth. */
const MOST_LOSSES = 5;

/** A run that lost an agent for good is no whole measurement, whatever its levels say; one that came back left no shard behind. */
export function lossReasons(record: RunRecord, stages: readonly ResolvedStage[]): string[] {
  const open = openLosses(record);
  const rows = lossesOf(record, stages).filter(
    ({ agent, foundAtMs }) => foundAtMs === null && open.some((loss) => loss.agent === agent),
  );
  const reasons = rows.slice(0, MOST_LOSSES).map(({ lostAtMs, reason, takenOver }) => {
    const then =
      takenOver === null
        ? record.plan.lossPolicy === "reshard"
          ? "no stage began late enough for others to take its shard over"
          : "the run went on without its shard"
        : `its shard went to ${takenOver.by.join(", ")} from stage ${takenOver.fromStage} on`;
    return `at ${(lostAtMs / 1000).toFixed(1)} s ${reason}: ${then}`;
  });
  const more = rows.length - MOST_LOSSES;
  return more > 0 ? [...reasons, `${more} more agents were lost`] : reasons;
}
