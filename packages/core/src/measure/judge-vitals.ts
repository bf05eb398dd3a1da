import type { Vitals, VitalsColour } from "./vitals.js";

/**
 * From which value on an interval is yellow and beyond which it is red. Milliseconds hold for an ITL of 20 ms and
 * are scaled; shares are not. Measured: of the figures a process can take of itself, the p99 of its event-loop delay
 * ranks its stamp errors best (docs/measuring.md, Trust).
 */
export const VITALS_LIMITS = {
  loopDelayP99Us: { yellow: 3_000, red: 8_000 },
  scheduleLagP99Us: { yellow: 3_000, red: 8_000 },
  /**
   * x 1.6 (see PROBE_UNDER_READING) these are 3 and 8 ms. One probe in a hundred is a stall that shows in a p99; one in ten
   * spoils what an interval says altogether.
   */
  probeP99Us: { yellow: 1_875 },
  probeP90Us: { red: 5_000 },
  utilisation: { yellow: 0.7, red: 0.85 },
  coalescedShare: { yellow: 0.005, red: 0.02 },
  /** The host gave the CPU to somebody else: a warning, no proof. */
  starvation: { yellow: 0.07 },
  /** Of descriptors, and of local ports to one place: requests begin to fail when there are no more. */
  usedUp: { yellow: 0.8, red: 0.95 },
} as const;

const REFERENCE_ITL_US = 20_000;

/** Between which `vitalsFactor` lies. */
export const VITALS_FACTOR = { least: 0.5, most: 4 } as const;

/** f: how much coarser than at an ITL of 20 ms a stamp may be; 0.5 to 4, and 1 where no ITL is known. */
export function vitalsFactor(itlMedianUs: number | null): number {
  if (itlMedianUs === null) return 1;
  return Math.min(VITALS_FACTOR.most, Math.max(VITALS_FACTOR.least, itlMedianUs / REFERENCE_ITL_US));
}

/**
 * The factors at which the colour of an interval changes: red below `redBelow`, else yellow up to `yellowUpTo`, else green.
 * Infinity where no factor changes it.
 */
export function colourFactors(vitals: Vitals): { readonly redBelow: number; readonly yellowUpTo: number } {
  const { loopDelayP99Us, scheduleLagP99Us, probeP99Us, probeP90Us } = VITALS_LIMITS;
  const { colour } = judgeVitals(vitals, Number.POSITIVE_INFINITY);
  const { selfProbe } = vitals;
  const reds = [vitals.loopDelayP99Us / loopDelayP99Us.red, vitals.scheduleLagP99Us / scheduleLagP99Us.red];
  const yellows = [
    vitals.loopDelayP99Us / loopDelayP99Us.yellow,
    vitals.scheduleLagP99Us / scheduleLagP99Us.yellow,
  ];
  if (selfProbe !== undefined) {
    reds.push(selfProbe.p90Us / probeP90Us.red);
    yellows.push(selfProbe.p99Us / probeP99Us.yellow, selfProbe.p90Us / probeP90Us.red);
  }
  return {
    redBelow: colour === "red" ? Number.POSITIVE_INFINITY : Math.max(...reds),
    yellowUpTo: colour === "green" ? Math.max(...yellows) : Number.POSITIVE_INFINITY,
  };
}

export interface VitalsJudgement {
  readonly colour: VitalsColour;
  /** What made it so, with figure and limit; empty when green. Of a red interval, only what is red. */
  readonly reasons: readonly string[];
}

/** Whether the agent's own process could have spoilt what it measured in an interval. */
export function judgeVitals(vitals: Vitals, factor: number): VitalsJudgement {
  const { loopDelayP99Us, scheduleLagP99Us, utilisation, coalescedShare, starvation } = VITALS_LIMITS;
  const signs = [
    sign("event-loop delay p99", vitals.loopDelayP99Us, scaled(loopDelayP99Us, factor), ms),
    sign("schedule lag p99", vitals.scheduleLagP99Us, scaled(scheduleLagP99Us, factor), ms),
    sign("event-loop utilisation", vitals.utilisation, utilisation, percent),
    sign("coalesced events", vitals.coalescedShare, coalescedShare, percent),
    ...(vitals.starvation > starvation.yellow
      ? [sign("starvation", vitals.starvation, { ...starvation, red: Infinity }, percent)]
      : []),
    ...probeSigns(vitals, factor),
    ...supplySigns(vitals),
  ].filter((found) => found !== undefined);
  const colour = signs.some((one) => one.colour === "red") ? "red" : signs.length > 0 ? "yellow" : "green";
  return { colour, reasons: signs.filter((one) => one.colour === colour).map(({ reason }) => reason) };
}

type Sign = ReturnType<typeof sign>;

/** None from agents that have no probe: their loop delay speaks for them. */
function probeSigns({ selfProbe }: Vitals, factor: number): Sign[] {
  if (selfProbe === undefined) return [];
  const { probeP99Us, probeP90Us } = VITALS_LIMITS;
  const ofP99 = scaled({ ...probeP99Us, red: Infinity }, factor);
  const ofP90 = scaled({ yellow: probeP90Us.red, ...probeP90Us }, factor);
  return [
    sign("self-probe p99", selfProbe.p99Us, ofP99, ms),
    sign("self-probe p90", selfProbe.p90Us, ofP90, ms),
  ];
}

function supplySigns({ descriptors, descriptorLimit, localPorts }: Vitals): Sign[] {
  const { usedUp } = VITALS_LIMITS;
  const shareOf = (used: number, all: number) => (all === 0 ? 0 : used / all);
  return [
    sign("descriptors in use", shareOf(descriptors, descriptorLimit), usedUp, percent),
    sign("local ports in use", shareOf(localPorts?.used ?? 0, localPorts?.range ?? 0), usedUp, percent),
  ];
}

interface Limits {
  readonly yellow: number;
  readonly red: number;
}

function scaled({ yellow, red }: Limits, factor: number): Limits {
  return { yellow: yellow * factor, red: red * factor };
}

/** Green ends below the yellow limit, red begins above the red one. */
function sign(
  name: string,
  value: number,
  { yellow, red }: Limits,
  show: (value: number) => string,
): { readonly colour: "yellow" | "red"; readonly reason: string } | undefined {
  if (value < yellow) return undefined;
  const isRed = value > red;
  return {
    colour: isRed ? "red" : "yellow",
    reason: `${name} ${show(value)} (limit ${show(isRed ? red : yellow)})`,
  };
}

function ms(us: number): string {
  return `${(us / 1000).toFixed(1)} ms`;
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}
