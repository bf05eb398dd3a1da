import type { RunReport } from "@tokenstorm/core";
import { printable } from "./columns.js";

/** Who led one after the other, and when nobody did; undefined where one leader led throughout. */
export function leadingText({ leading }: RunReport): string | undefined {
  if (leading === undefined) return undefined;
  const leaders = leading.leaders.map(({ leader, term, fromMs }) => {
    const from = fromMs === null ? "" : ` from ${seconds(fromMs)}`;
    return `${printable(leader)} (term ${term})${from}`;
  });
  const gaps = leading.unled.map(({ fromMs, toMs }) => `${seconds(fromMs)} to ${seconds(toMs)}`);
  const led = leaders.length === 0 ? "" : `led by ${leaders.join(", then ")}`;
  const unled =
    gaps.length === 0
      ? ""
      : `nobody led from ${gaps.join(", and from ")}: no threshold could end the run then`;
  return [led, unled].filter((text) => text !== "").join("; ");
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
