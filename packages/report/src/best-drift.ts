import type { AgentClock } from "@tokenstorm/core";

type Drift = NonNullable<AgentClock["terms"][number]["drift"]>;

/** As the leader told it under which it is known best; null where none compared the clock for long enough. */
export function bestDrift({ terms }: AgentClock): Drift | null {
  return terms.reduce<Drift | null>(
    (best, { drift }) => (drift !== null && (best === null || drift.errorPpm < best.errorPpm) ? drift : best),
    null,
  );
}

/** `+200 ± 0.05 ppm`. */
export function driftWords({ ppm, errorPpm }: Drift, format: (value: number) => string): string {
  return `${signedPpm(ppm, format)} ± ${format(errorPpm)} ppm`;
}

/** A figure of nothing has no sign. */
export function signedPpm(ppm: number, format: (value: number) => string): string {
  return `${ppm > 0 ? "+" : ""}${format(ppm)}`;
}
