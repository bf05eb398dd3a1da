/** A number in a sentence: four significant digits, thousands apart. */
export function say(value: number): string {
  if (!Number.isFinite(value)) return "no bound";
  if (value === 0) return "0";
  const size = Math.floor(Math.log10(Math.abs(value)));
  if (size >= 3) return group(String(Math.round(value)));
  const [whole = "", decimals] = value.toFixed(Math.min(12, 3 - size)).split(".");
  const kept = decimals?.replace(/0+$/, "") ?? "";
  return kept === "" ? whole : `${whole}.${kept}`;
}

const group = (digits: string): string => digits.replace(/\B(?=(\d{3})+$)/g, ",");

/** Seconds, in the unit that people would write. */
export function saySeconds(seconds: number): string {
  return seconds < 0.9995 ? `${say(seconds * 1000)} ms` : `${say(seconds)} s`;
}

/** A share per cent, to a tenth. */
export function sayShare(share: number): string {
  return `${say(Math.round(share * 1000) / 10)} %`;
}

/** An upper bound on a number of requests: rounded up, so that it stays one. */
export function sayAtMost(value: number): string {
  return value < 10 ? say(Math.ceil(value * 100) / 100) : say(Math.ceil(value * 10) / 10);
}
