const BARS = "▁▂▃▄▅▆▇█";

/** The last `width` values as bars from zero to their maximum; a value above zero never looks like none. */
export function sparkline(values: readonly number[], width: number): string {
  const shown = values.slice(-Math.max(0, width));
  const top = Math.max(0, ...shown);
  return shown
    .map((value) => {
      if (value <= 0 || top === 0) return " ";
      return BARS[Math.min(BARS.length - 1, Math.floor((value / top) * BARS.length))] ?? " ";
    })
    .join("");
}

/** How much of something is done, 0 to 1, as a bar. */
export function progressBar(share: number, width: number): string {
  const done = Math.round(Math.min(1, Math.max(0, share)) * width);
  return "━".repeat(done) + "─".repeat(width - done);
}
