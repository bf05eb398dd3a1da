import { type Density, mostByDensity, mostWithin } from "../load/density.js";
import type { ResolvedStage } from "../load/stages.js";
import type { RunReport, StimulusReport } from "../run/report.js";
import type { AgentIntervals } from "./aggregate.js";
import { arrivalDistance } from "./arrival-distance.js";
import { createHistogram } from "./hdr-histogram.js";
import type { Histogram } from "./histogram.js";
import type { Missing } from "./missing.js";
import type { DueCounts } from "./snapshot.js";

/** What a level was to be offered, and what it was. */
export type Stimulus = Omit<StimulusReport, "notFilled">;

/** Figures of an open level; `dueUs` null where the plan was not walked. */
export function openStimulus(level: {
  readonly dueUs: readonly number[] | null;
  /** Where no due times are known: how many arrivals there were to be; null where nobody knows. */
  readonly plannedCount?: number | null;
  /** And how dense they were to be; null where nobody says. */
  readonly density?: readonly Density[] | null;
  readonly windowUs: number;
  readonly plannedUs: number;
  readonly due: DueCounts;
  readonly lag: Histogram | undefined;
  readonly missing: Missing;
}): Stimulus {
  const { due, missing } = level;
  const lag = level.lag ?? createHistogram();
  const isWhole = missing.requests === 0 && missing.samples === 0;
  // A level that was cut short owes only what was due by then; where intervals are missing, nobody knows when that was.
  const windowUs = isWhole ? level.windowUs : level.plannedUs;
  const dueUs = level.dueUs?.filter((us) => us < windowUs) ?? null;
  const planned = dueUs?.length ?? level.plannedCount ?? null;
  const { density = null } = level;
  const within =
    dueUs !== null
      ? (lengthUs: number) => mostWithin(dueUs, lengthUs)
      : density !== null
        ? (lengthUs: number) => mostByDensity(density, lengthUs)
        : null;
  return {
    open: {
      planned,
      offered: due.offered,
      handedOver: lag.count,
      arrivalDistance:
        planned === null || within === null
          ? null
          : arrivalDistance({ planned, mostWithin: within, windowUs, lag, isWhole }),
    },
    closed: null,
  };
}

/** Figures of a closed level: sums of what the agents said in the end, null where one did not. */
export function closedStimulus(
  stage: Extract<ResolvedStage, { kind: "users" }>,
  agents: readonly AgentIntervals[],
): Stimulus {
  let neverStarted: number | null = 0;
  let startedLate: number | null = 0;
  let startedLateUs: number | null = 0;
  for (const { final } of agents) {
    const own = final?.usersStarted?.[String(stage.index)];
    neverStarted = neverStarted === null || own === undefined ? null : neverStarted + own.never;
    startedLate = startedLate === null || own === undefined ? null : startedLate + own.late;
    startedLateUs = startedLateUs === null || own === undefined ? null : startedLateUs + own.lateUs;
  }
  return { open: null, closed: { usersAsked: stage.users, neverStarted, startedLate, startedLateUs } };
}

/** How exactly the agents began together; null where none has said. */
export function startOf(agents: RunReport["agents"]): NonNullable<RunReport["start"]> | null {
  const known = agents.flatMap(({ startErrorUs, clockErrorUs }) =>
    startErrorUs === null ? [] : [{ startErrorUs, clockErrorUs }],
  );
  if (known.length === 0) return null;
  const errors = known.map(({ startErrorUs }) => startErrorUs);
  const latest = known.map(({ startErrorUs, clockErrorUs }) => startErrorUs + clockErrorUs);
  const earliest = known.map(({ startErrorUs, clockErrorUs }) => startErrorUs - clockErrorUs);
  return {
    agents: known.length,
    errorMaxUs: Math.max(...errors.map(Math.abs)),
    skewUs: Math.max(...errors) - Math.min(...errors),
    // One agent has no skew to itself, whatever its clock.
    skewAtMostUs: known.length === 1 ? 0 : Math.max(...latest) - Math.min(...earliest),
  };
}
