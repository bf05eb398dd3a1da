import { formatNumber, formatUs } from "@tokenstorm/report/page";

/** `-` where nothing is known: a figure is never made up. */
export function orDash<T>(value: T | null | undefined, format: (value: T) => string): string {
  return value === null || value === undefined ? "-" : format(value);
}

/** Run time on an axis: `0:00`, `12:30`, `1:02:30`; tenths of a second under ten seconds are kept. */
export function clock(us: number): string {
  const seconds = us / 1e6;
  const whole = Math.floor(seconds + 1e-6);
  const pad = (value: number) => String(value).padStart(2, "0");
  const tenth = Math.round((seconds - whole) * 10);
  const rest = tenth > 0 && tenth < 10 ? `.${tenth}` : "";
  const minutes = Math.floor(whole / 60);
  const tail = `${pad(whole % 60)}${rest}`;
  return minutes < 60 ? `${minutes}:${tail}` : `${Math.floor(minutes / 60)}:${pad(minutes % 60)}:${tail}`;
}

/** A percentile as it is said: `p50`, `p99.9`; 100 is the maximum. */
export function percentileName(percentile: number): string {
  if (percentile === 0) return "min";
  if (percentile >= 100) return "max";
  return `p${Number(percentile.toPrecision(7))}`;
}

/** An axis' value: without the decimals that a table has. */
export function axisNumber(value: number): string {
  if (value >= 1e6) return `${Number((value / 1e6).toPrecision(3))}M`;
  if (value >= 10_000) return `${Number((value / 1e3).toPrecision(3))}k`;
  return String(Number(value.toPrecision(4)));
}

export function axisUs(us: number): string {
  if (us === 0) return "0";
  return formatUs(us)
    .replace(/(\.\d*?)0+(?=\D)/, "$1")
    .replace(/\.(?=\D)/, "");
}

export const perSecond = (value: number): string => formatNumber(value);
