/** From values to a share of an axis, 0 to 1, and the values at which it is marked. */
export interface Scale {
  readonly at: (value: number) => number;
  /** The value at a share: the inverse of `at`. */
  readonly value: (share: number) => number;
  readonly ticks: readonly number[];
}

/** Steps of 1, 2 and 5 times a power of ten, about `count` of them, from and to whole steps where `nice`. */
export function linearScale(
  from: number,
  to: number,
  options: { readonly count: number; readonly nice: boolean },
): Scale {
  const span = to > from ? to - from : Math.abs(from) || 1;
  const step = niceStep(span / options.count);
  const low = options.nice ? Math.floor(from / step + 1e-9) * step : from;
  const high = options.nice ? Math.ceil((from + span) / step - 1e-9) * step : from + span;
  const ticks: number[] = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; i += 1) {
    ticks.push(Number((i * step).toPrecision(12)));
  }
  return { at: (value) => (value - low) / (high - low), value: (share) => low + share * (high - low), ticks };
}

/** 1, 2 or 5 times a power of ten, at least `rough`. */
export function niceStep(rough: number): number {
  const power = 10 ** Math.floor(Math.log10(rough));
  const found = [1, 2, 5, 10].find((step) => step * power >= rough * (1 - 1e-9)) ?? 10;
  return found * power;
}

/** Seconds, minutes, hours: steps of a clock. Values are us. */
const CLOCK_STEPS_S = [
  0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 43_200,
];

export function timeScale(fromUs: number, toUs: number, count: number): Scale {
  const spanUs = Math.max(1, toUs - fromUs);
  const stepUs = (CLOCK_STEPS_S.find((step) => step * 1e6 * count >= spanUs) ?? 86_400) * 1e6;
  const ticks: number[] = [];
  for (let us = Math.ceil(fromUs / stepUs) * stepUs; us <= toUs; us += stepUs) ticks.push(us);
  return { at: (us) => (us - fromUs) / spanUs, value: (share) => fromUs + share * spanUs, ticks };
}

/** Values above 0. Marked at powers of ten, and at 2 and 5 times them where there is room; at the ends whole marks. */
export function logScale(from: number, to: number, count: number): Scale {
  const low = floorMark(from);
  const high = ceilMark(to <= low ? low * 10 : to);
  const decades = Math.log10(high / low);
  const steps = decades * 2.5 <= count ? [1, 2, 5] : [1];
  const every = Math.max(1, Math.ceil(decades / count));
  const ticks: number[] = [];
  const first = Math.floor(Math.log10(low) + 1e-9);
  for (let power = first; power <= Math.log10(high) + 1e-9; power += 1) {
    if ((power - first) % every !== 0) continue;
    for (const step of steps) {
      const tick = Number((step * 10 ** power).toPrecision(6));
      if (tick >= low * (1 - 1e-9) && tick <= high * (1 + 1e-9)) ticks.push(tick);
    }
  }
  const width = Math.log(high / low);
  return {
    at: (value) => Math.log(Math.max(value, low) / low) / width,
    value: (share) => low * Math.exp(share * width),
    ticks,
  };
}

function floorMark(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value) + 1e-9);
  const step = [5, 2, 1].find((one) => one * power <= value * (1 + 1e-9)) ?? 1;
  return step * power;
}

function ceilMark(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value) - 1e-9);
  const step = [1, 2, 5, 10].find((one) => one * power >= value * (1 - 1e-9)) ?? 10;
  return step * power;
}

/**
 * Percentiles by how much is left: 0, 90, 99, 99.9 ... stand at equal distances, as HDR histograms are plotted. `count`
 * is that of the largest sample: its last value has the last place, and 100 goes there.
 */
export function percentileScale(count: number): Scale {
  const decades = Math.max(1, Math.log10(Math.max(10, count)));
  const ticks = [0, 50, 90, 99, 99.9, 99.99, 99.999, 99.9999].filter(
    (tick) => -Math.log10((100 - tick) / 100) <= decades + 1e-9,
  );
  return {
    at: (percentile) => Math.min(1, -Math.log10(Math.max(1e-12, (100 - percentile) / 100)) / decades),
    value: (share) => 100 - 100 * 10 ** (-share * decades),
    ticks,
  };
}
