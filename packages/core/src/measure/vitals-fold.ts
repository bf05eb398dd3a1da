import type { IntervalVitals } from "./aggregate.js";
import type { IntervalColours } from "./interval-colours.js";
import { colourFactors, judgeVitals, VITALS_FACTOR } from "./judge-vitals.js";
import type { Vitals } from "./vitals.js";

/** Intervals of one agent that lie in the same stages: they are judged by the same factor. */
interface Group {
  readonly agent: string;
  readonly stages: readonly number[];
  measured: number;
  /** Of those whose colour depends on the factor: `redBelow`, `yellowUpTo` one after the other. */
  readonly factors: number[];
  /** Each could be the last red one for some factor: by time, with falling `redBelow`. */
  readonly lastRed: Candidate[];
}

interface Candidate {
  readonly fromUs: number;
  readonly seq: number;
  readonly redBelow: number;
  readonly vitals: Vitals;
}

/**
 * The evidence of all measured intervals for the verdict. By which factor limits are scaled is known only at the end, so an
 * interval is kept as the factors at which its colour changes, and as a count where no factor makes it anything but
 * green: a run of hours takes hardly more than one of minutes.
 */
export class VitalsFold {
  readonly #groups = new Map<string, Group>();
  /** By stage and agent: the worst event-loop delay of its measured intervals without a self-probe, us; null with none. */
  readonly #loopDelays = new Map<number, Map<string, number | null>>();

  add(interval: IntervalVitals): void {
    const { agent, measuredStages, vitals } = interval;
    if (measuredStages.length === 0) return;
    for (const stage of measuredStages) this.#addLoopDelay(stage, agent, vitals);
    const group = this.#groupOf(agent, measuredStages);
    group.measured += 1;
    const { redBelow, yellowUpTo } = colourFactors(vitals);
    if (Math.max(redBelow, yellowUpTo) < VITALS_FACTOR.least) return;
    group.factors.push(redBelow, yellowUpTo);
    if (redBelow > VITALS_FACTOR.least) keepCandidate(group.lastRed, { ...interval, redBelow });
  }

  /** By agent; of several stages in one interval, the strictest limits hold. */
  colours(factorOf: (stage: number) => number): Map<string, IntervalColours> {
    const byAgent = new Map<string, { colours: IntervalColours; last: Candidate | null }>();
    for (const group of this.#groups.values()) {
      const factor = Math.min(...group.stages.map(factorOf));
      const before = byAgent.get(group.agent) ?? { colours: NONE, last: null };
      const own = group.lastRed.findLast(({ redBelow }) => factor < redBelow);
      const isNewer = own !== undefined && (before.last === null || isBefore(before.last, own));
      byAgent.set(group.agent, {
        last: isNewer ? own : before.last,
        colours: {
          ...added(before.colours, group, factor),
          redReasons: isNewer ? judgeVitals(own.vitals, factor).reasons : before.colours.redReasons,
        },
      });
    }
    return new Map([...byAgent].map(([agent, { colours }]) => [agent, colours]));
  }

  /** Agents with measured intervals in the stage: worst event-loop delay where the self-probe was missing, us; null where it never was. */
  loopDelays(stage: number): ReadonlyMap<string, number | null> {
    return this.#loopDelays.get(stage) ?? new Map<string, number | null>();
  }

  #addLoopDelay(stage: number, agent: string, { selfProbe, loopDelayP99Us }: Vitals): void {
    const byAgent = this.#loopDelays.get(stage) ?? new Map<string, number | null>();
    this.#loopDelays.set(stage, byAgent);
    const before = byAgent.get(agent) ?? null;
    byAgent.set(agent, selfProbe === undefined ? Math.max(before ?? 0, loopDelayP99Us) : before);
  }

  #groupOf(agent: string, stages: readonly number[]): Group {
    const key = `${agent} ${stages.join(" ")}`;
    const found = this.#groups.get(key);
    if (found !== undefined) return found;
    const group: Group = { agent, stages, measured: 0, factors: [], lastRed: [] };
    this.#groups.set(key, group);
    return group;
  }
}

const NONE: IntervalColours = { measured: 0, red: 0, yellow: 0, redReasons: [] };

function added(
  before: IntervalColours,
  { measured, factors }: Group,
  factor: number,
): Omit<IntervalColours, "redReasons"> {
  let red = 0;
  let yellow = 0;
  for (let i = 0; i < factors.length; i += 2) {
    if (factor < (factors[i] ?? 0)) red += 1;
    else if (factor <= (factors[i + 1] ?? 0)) yellow += 1;
  }
  return { measured: before.measured + measured, red: before.red + red, yellow: before.yellow + yellow };
}

/** Who has a later one beside it that is red wherever it is, is never the last. */
function keepCandidate(candidates: Candidate[], one: Candidate): void {
  const { fromUs, seq, redBelow, vitals } = one;
  const after = candidates.findIndex((other) => isBefore(one, other));
  const at = after < 0 ? candidates.length : after;
  if ((candidates[at]?.redBelow ?? 0) >= redBelow) return;
  let from = at;
  while (from > 0 && (candidates[from - 1]?.redBelow ?? Number.POSITIVE_INFINITY) <= redBelow) from -= 1;
  candidates.splice(from, at - from, { fromUs, seq, redBelow, vitals });
}

/** By time, whatever the order in which they came: a report must not depend on it. */
const isBefore = (a: Candidate, b: Candidate): boolean =>
  a.fromUs < b.fromUs || (a.fromUs === b.fromUs && a.seq < b.seq);
