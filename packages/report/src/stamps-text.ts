import {
  PROBE_UNDER_READING,
  type RunReport,
  type StageReport,
  type StampUncertainty,
} from "@tokenstorm/core";
import { printable } from "./columns.js";
import { formatUs } from "./units.js";

/** How good the stamps behind the latencies are, level by level; none for a report that does not know. */
export function stampsTexts(stages: RunReport["stages"]): string[] {
  const known = stages.filter(isKnown);
  if (known.length === 0) return [];
  const source = known.every(({ stampUncertainty }) => stampUncertainty.source === "self-probe")
    ? `self-probe, x ${PROBE_UNDER_READING}`
    : "event-loop delay: not every agent had a self-probe";
  const each = known.map((stage) => `${printable(stage.name)} to ${amount(stage.stampUncertainty)}`);
  return [`good at p99 (${source}): ${each.join("; ")}`];
}

type Known = StageReport & { readonly stampUncertainty: StampUncertainty };

function isKnown(stage: StageReport): stage is Known {
  return stage.stampUncertainty !== undefined && stage.stampUncertainty !== null;
}

function amount({ p99Us, worst }: StampUncertainty): string {
  return `${formatUs(p99Us)}${worst === null ? "" : ` (${printable(worst.agent)} ${formatUs(worst.us)})`}`;
}
