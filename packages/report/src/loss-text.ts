import type { RunReport } from "@tokenstorm/core";
import { printable } from "./columns.js";

/** Agents that a report names one by one; the rest by their number. */
const MOST_NAMED = 8;

/** Agents without which the run went on, a sentence each; none where there was none. */
export function lossTexts({ losses = [] }: Pick<RunReport, "losses">): string[] {
  const named = losses
    .slice(0, MOST_NAMED)
    .map(({ agent, times, lastHeardMs, lostAtMs, foundAtMs, takenOver }) => {
      const lost = `${printable(agent)} was last heard at ${seconds(lastHeardMs)} and counted as lost at ${seconds(lostAtMs)}`;
      if (times !== undefined && foundAtMs !== null)
        return `${printable(agent)} was lost ${times} times from ${seconds(lastHeardMs)} on; heard again each time, the last time at ${seconds(foundAtMs)}`;
      if (foundAtMs !== null)
        return `${lost}; heard again at ${seconds(foundAtMs)}, it went on with its shard`;
      if (takenOver === null) return `${lost}; nobody took its shard over`;
      const by = takenOver.by.map(printable).join(", ");
      return `${lost}; its shard went to ${by} from stage ${printable(takenOver.fromStage)} on`;
    });
  const more = losses.length - MOST_NAMED;
  return more > 0 ? [...named, `and ${more} more agents`] : named;
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
