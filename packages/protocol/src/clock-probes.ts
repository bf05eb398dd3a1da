import {
  type Clock,
  type ClockComparison,
  type ClockExchange,
  estimateOffset,
  type LoadError,
} from "@tokenstorm/core";
import type { Bus } from "./bus.js";
import { type ClockAnswer, openClockLine } from "./clock-line.js";
import type { Subjects } from "./subjects.js";

const PROBES = 16;
/** Fewer answers than this do not make an estimate. */
const LEAST_ANSWERS = 4;
const TIMEOUT_MS = 500;

export interface ProbeOptions {
  readonly bus: Bus;
  readonly subjects: Subjects;
  readonly clock: Clock;
  /** So many questions to each, one after the other; by default 16. */
  readonly probes?: number;
  /** Nobody is waited for beyond this time; by default each agent has its probes x timeout. */
  readonly untilUs?: number;
  /** A reply that is none. */
  readonly onRefusal: (error: LoadError) => void;
}

/**
 * Compares the clocks of these agents with this process's own, all side by side. An agent that does not answer, or under
 * another instance, is not in the result. Bounded by probes x timeout.
 */
export async function probeClocks(
  agents: readonly { readonly agent: string; readonly instance: string }[],
  options: ProbeOptions,
): Promise<ReadonlyMap<string, ClockComparison>> {
  const offsets = new Map<string, ClockComparison>();
  await Promise.all(
    agents.map(async (agent) => {
      const exchanges = await exchangeWith(agent, options);
      if (exchanges.length >= LEAST_ANSWERS) offsets.set(agent.agent, estimateOffset(exchanges));
    }),
  );
  return offsets;
}

async function exchangeWith(
  agent: { readonly agent: string; readonly instance: string },
  options: ProbeOptions,
): Promise<ClockExchange[]> {
  const { clock, untilUs = Number.POSITIVE_INFINITY, probes = PROBES } = options;
  const exchanges: ClockExchange[] = [];
  const line = openClockLine({ ...options, agent: agent.agent });
  try {
    for (let probe = 1; probe <= probes; probe += 1) {
      const left = probes - probe + 1;
      const leftMs = Math.ceil((untilUs - clock.nowUs()) / 1000);
      // Whoever cannot make enough of them any more is not waited for.
      if (leftMs <= 0 || exchanges.length + left < LEAST_ANSWERS) return exchanges;
      const answer = await line.ask({ timeoutMs: Math.min(TIMEOUT_MS, leftMs) });
      const exchange = exchangeOf(answer, agent.instance);
      if (exchange !== undefined) exchanges.push(exchange);
    }
    return exchanges;
  } finally {
    line.close();
  }
}

/** Undefined for no answer, one of another process, or one that cannot be. */
function exchangeOf(answer: ClockAnswer | undefined, instance: string): ClockExchange | undefined {
  if (answer === undefined || answer.reply.instance !== instance) return undefined;
  const { t0, t3 } = answer;
  const { t1, t2 } = answer.reply;
  return t2 >= t1 && t2 - t1 <= t3 - t0 ? { t0, t1, t2, t3 } : undefined;
}
