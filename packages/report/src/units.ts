/** Rounds to three significant digits, so that 999.96 becomes 1000 and takes the next unit. */
function threeDigits(value: number): number {
  return Number(value.toPrecision(3));
}

function decimals(value: number): string {
  if (value < 10) return value.toFixed(2);
  if (value < 100) return value.toFixed(1);
  return value.toFixed(0);
}

/** A duration in us as people read it, three digits: `842us`, `24.1ms`, `1.23s`, `2m05s`, `1h02m`. */
export function formatUs(us: number): string {
  if (us < 0) return `-${formatUs(-us)}`;
  const rounded = threeDigits(us);
  if (rounded < 1000) return `${Math.round(rounded)}us`;
  if (rounded < 1_000_000) return `${decimals(rounded / 1000)}ms`;
  if (Math.round(us / 1e6) < 60) return `${decimals(threeDigits(us / 1e6))}s`;
  const seconds = Math.round(us / 1e6);
  const pad = (value: number) => String(value).padStart(2, "0");
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m${pad(seconds % 60)}s`;
  const minutes = Math.round(seconds / 60);
  return `${Math.floor(minutes / 60)}h${pad(minutes % 60)}m`;
}

/** Time left or passed, us, as a clock: `0:05`, `12:34`, `1:02:03`. Rounded up, so that 0:00 means over. */
export function formatClock(us: number): string {
  const seconds = Math.max(0, Math.ceil(us / 1e6));
  const pad = (value: number) => String(value).padStart(2, "0");
  const minutes = Math.floor(seconds / 60);
  return minutes < 60
    ? `${minutes}:${pad(seconds % 60)}`
    : `${Math.floor(minutes / 60)}:${pad(minutes % 60)}:${pad(seconds % 60)}`;
}

/** An integer with thousands separators: `12,345`. */
export function formatCount(count: number): string {
  return Math.round(count)
    .toString()
    .replace(/\B(?=(\d{3})+$)/g, ",");
}

/** A rate or a mean: two decimals below 10, one below 100, none above: `0.42`, `41.3`, `12,345`. */
export function formatNumber(value: number): string {
  if (value < 0) return `-${formatNumber(-value)}`;
  if (Number(value.toFixed(2)) < 10) return value.toFixed(2);
  if (Number(value.toFixed(1)) < 100) return value.toFixed(1);
  return formatCount(value);
}

/** A share as a percentage, cut and not rounded: only what is whole reads `100%`. */
export function formatShare(share: number): string {
  if (share >= 1) return "100%";
  if (share <= 0) return "0%";
  return `${(Math.floor(share * 10_000) / 100).toFixed(2)}%`;
}

/** A difference in per cent, signed, so that nobody takes more for less; `-` where there is none. */
export function formatPercent(value: number | null): string {
  return value === null ? "-" : `${value > 0 ? "+" : ""}${value.toFixed(2)}%`;
}

/** A load such as CPU or KV use: whole per cent, may exceed 100. */
export function formatLoad(share: number): string {
  return `${Math.round(share * 100)}%`;
}

/** `1 agent`, `4 agents`. */
export function plural(count: number, noun: string): string {
  return `${formatCount(count)} ${noun}${count === 1 ? "" : "s"}`;
}
