import type { RunFacts } from "../run/facts.js";
import type { LeadingReport } from "../run/report.js";
import type { AgentIntervals } from "./aggregate.js";

interface Span {
  readonly fromUs: number;
  readonly toUs: number;
}

/** Null where one leader led from the beginning to the end, as far as anybody noticed. */
export function leadingOf(
  { led = [] }: Pick<RunFacts, "led">,
  agents: readonly AgentIntervals[],
): LeadingReport | null {
  const unled = unledTimes(agents);
  if (led.length <= 1 && unled.length === 0) return null;
  return {
    leaders: led.map(({ leader, term, runUs }) => ({
      leader,
      term,
      fromMs: runUs === null ? null : Math.round(runUs / 1000),
    })),
    unled: unled.map(({ fromUs, toUs }) => ({
      fromMs: Math.round(fromUs / 1000),
      toMs: Math.round(toUs / 1000),
    })),
  };
}

/**
 * What one agent alone did not hear is its own connection's trouble; when none of those that left a final word heard a
 * leader, nobody led.
 */
function unledTimes(agents: readonly AgentIntervals[]): readonly Span[] {
  const silences = agents.flatMap(({ final }) => (final === null ? [] : [final.unled ?? []]));
  const [first, ...others] = silences;
  if (first === undefined) return [];
  return others.reduce<readonly Span[]>(intersection, first);
}

function intersection(one: readonly Span[], other: readonly Span[]): readonly Span[] {
  return one.flatMap((a) =>
    other.flatMap((b) => {
      const fromUs = Math.max(a.fromUs, b.fromUs);
      const toUs = Math.min(a.toUs, b.toUs);
      return fromUs < toUs ? [{ fromUs, toUs }] : [];
    }),
  );
}
