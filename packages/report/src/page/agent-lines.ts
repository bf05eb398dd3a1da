import {
  type Aggregate,
  type IntervalVitals,
  judgeVitals,
  type Vitals,
  type VitalsColour,
  vitalsFactor,
} from "@tokenstorm/core";
import { type IntervalSums, short } from "./interval-sums.js";
import type { AgentLine, RunSeries, VitalLine } from "./report-data.js";

const LETTERS: Readonly<Record<VitalsColour, string>> = { green: "g", yellow: "y", red: "r" };
const WORSE = ["-", ".", "g", "y", "r"];
const SEVERITY: Readonly<Record<VitalsColour, number>> = { green: 0, yellow: 1, red: 2 };

interface Point {
  letter: string;
  loopDelayP99Us: number;
  scheduleLagP99Us: number;
  selfProbeP99Us: number | null;
  cpuMax: number;
  cpuSum: number;
  intervals: number;
}

interface Line {
  readonly points: (Point | undefined)[];
  worst: (NonNullable<AgentLine["worst"]> & { readonly delayUs: number }) | null;
}

/** How each agent fared over time, with the colours that the verdict counts. `intervals` in any order. */
export function vitalsOverTime(
  aggregate: Aggregate,
  intervals: readonly IntervalVitals[],
  sums: IntervalSums,
): Pick<RunSeries, "agentLines" | "vitals"> {
  const factorOf = factors(aggregate);
  const lines = new Map<string, Line>(
    aggregate.agents().map(({ shard }) => [shard.agent, { points: [], worst: null }]),
  );
  // The first of those that are equally bad is named.
  for (const interval of intervals.toSorted((a, b) => a.fromUs - b.fromUs || a.seq - b.seq)) {
    const line = lines.get(interval.agent);
    const at = Math.floor(interval.fromUs / sums.pointUs);
    if (line === undefined || at >= sums.points || interval.toUs <= interval.fromUs) continue;
    addTo(line, at, interval, factorOf);
  }
  const all = [...lines.values()];
  const over = (read: (point: Point) => number | null) => lineOver(all, sums.points, read);
  return {
    agentLines: [...lines].map(([id, line]) => agentLine(id, line, sums.points)),
    vitals: {
      loopDelayP99Us: over((point) => point.loopDelayP99Us),
      scheduleLagP99Us: over((point) => point.scheduleLagP99Us),
      selfProbeP99Us: over((point) => point.selfProbeP99Us),
      cpu: over((point) => point.cpuMax),
    },
  };
}

/** By stage: how coarse stamps may be there. */
function factors(aggregate: Aggregate): (stages: readonly number[]) => number {
  const known = new Map<number, number>();
  const factorOf = (stage: number) => {
    const found = known.get(stage);
    if (found !== undefined) return found;
    const itl = aggregate.block(stage, "measured")?.histograms.get("itl");
    const factor = vitalsFactor(itl?.percentile(50) ?? null);
    known.set(stage, factor);
    return factor;
  };
  return (stages) => Math.min(...stages.map(factorOf));
}

function addTo(
  line: Line,
  at: number,
  { measuredStages, vitals, fromUs }: IntervalVitals,
  factorOf: (stages: readonly number[]) => number,
): void {
  const point = line.points[at] ?? emptyPoint();
  line.points[at] = point;
  addVitals(point, vitals);
  if (measuredStages.length === 0) {
    point.letter = worse(point.letter, ".");
    return;
  }
  const { colour, reasons } = judgeVitals(vitals, factorOf(measuredStages));
  point.letter = worse(point.letter, LETTERS[colour]);
  const { worst } = line;
  const isWorse =
    worst === null ||
    SEVERITY[colour] > SEVERITY[worst.colour] ||
    (colour === worst.colour && vitals.loopDelayP99Us > worst.delayUs);
  if (isWorse) line.worst = { colour, reasons, atUs: fromUs, delayUs: vitals.loopDelayP99Us };
}

function emptyPoint(): Point {
  return {
    letter: "-",
    loopDelayP99Us: 0,
    scheduleLagP99Us: 0,
    selfProbeP99Us: null,
    cpuMax: 0,
    cpuSum: 0,
    intervals: 0,
  };
}

function addVitals(point: Point, vitals: Vitals): void {
  point.loopDelayP99Us = Math.max(point.loopDelayP99Us, vitals.loopDelayP99Us);
  point.scheduleLagP99Us = Math.max(point.scheduleLagP99Us, vitals.scheduleLagP99Us);
  const probe = vitals.selfProbe?.p99Us;
  if (probe !== undefined) point.selfProbeP99Us = Math.max(point.selfProbeP99Us ?? 0, probe);
  point.cpuMax = Math.max(point.cpuMax, vitals.cpu);
  point.cpuSum += vitals.cpu;
  point.intervals += 1;
}

const worse = (one: string, other: string) => (WORSE.indexOf(other) > WORSE.indexOf(one) ? other : one);

function agentLine(id: string, { points, worst }: Line, length: number): AgentLine {
  const each = Array.from({ length }, (_, i) => points[i]);
  return {
    id,
    colours: each.map((point) => point?.letter ?? "-").join(""),
    loopDelayP99Us: each.map((point) => (point === undefined ? null : Math.round(point.loopDelayP99Us))),
    cpu: each.map((point) =>
      point === undefined ? null : Number((point.cpuSum / point.intervals).toFixed(3)),
    ),
    worst: worst === null ? null : { colour: worst.colour, reasons: worst.reasons, atUs: worst.atUs },
  };
}

function lineOver(lines: readonly Line[], length: number, read: (point: Point) => number | null): VitalLine {
  const median: (number | null)[] = [];
  const max: (number | null)[] = [];
  for (let i = 0; i < length; i += 1) {
    const values = lines
      .flatMap(({ points }) => {
        const point = points[i];
        return point === undefined ? [] : (read(point) ?? []);
      })
      .sort((a, b) => a - b);
    const middle = values[Math.floor((values.length - 1) / 2)];
    const last = values.at(-1);
    median.push(middle === undefined ? null : short(middle));
    max.push(last === undefined ? null : short(last));
  }
  return { median, max };
}
