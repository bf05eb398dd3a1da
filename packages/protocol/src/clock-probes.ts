import {
  type Clock,
  type ClockExchange,
  type ClockOffset,
  estimateOffset,
  LoadError,
} from "@tokenstorm/core";
import type { Bus } from "./bus.js";
import { decodeClockReply, encodeClockProbe } from "./codec.js";
import type { Subjects } from "./subjects.js";

const PROBES = 16;
/** Fewer answers than this do not make an estimate. */
const LEAST_ANSWERS = 4;
const TIMEOUT_MS = 500;

export interface ProbeOptions {
  readonly bus: Bus;
  readonly subjects: Subjects;
  readonly clock: Clock;
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
): Promise<ReadonlyMap<string, ClockOffset>> {
  const offsets = new Map<string, ClockOffset>();
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
  const exchanges: ClockExchange[] = [];
  for (let probe = 1; probe <= PROBES; probe += 1) {
    const left = PROBES - probe + 1;
    // Whoever cannot make enough of them any more is not waited for.
    if (exchanges.length + left < LEAST_ANSWERS) return exchanges;
    const leftMs = Math.ceil(((options.untilUs ?? Number.POSITIVE_INFINITY) - options.clock.nowUs()) / 1000);
    if (leftMs <= 0) return exchanges;
    const exchange = await exchangeOnce(agent, options, Math.min(TIMEOUT_MS, leftMs));
    if (exchange !== undefined) exchanges.push(exchange);
  }
  return exchanges;
}

async function exchangeOnce(
  agent: { readonly agent: string; readonly instance: string },
  { bus, subjects, clock, onRefusal }: ProbeOptions,
  timeoutMs: number,
): Promise<ClockExchange | undefined> {
  const t0 = clock.nowUs();
  try {
    const data = await bus.request(subjects.clock(agent.agent), encodeClockProbe({ t0 }), { timeoutMs });
    const t3 = clock.nowUs();
    if (data === undefined) return undefined;
    const reply = decodeClockReply(data);
    const isPossible = reply.t2 >= reply.t1 && reply.t2 - reply.t1 <= t3 - t0;
    if (reply.instance !== agent.instance || reply.t0 !== t0 || !isPossible) return undefined;
    return { t0, t1: reply.t1, t2: reply.t2, t3 };
  } catch (error) {
    if (!(error instanceof LoadError)) throw error;
    onRefusal(error);
    return undefined;
  }
}
