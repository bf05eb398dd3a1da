import { type Clock, LoadError, type RunRecord } from "@tokenstorm/core";
import { probeClocks } from "./clock-probes.js";
import { decodeRunRecord } from "./codec.js";
import type { Heartbeat } from "./messages.js";
import type { StateStore } from "./state-store.js";
import { runKey, type Subjects } from "./subjects.js";
import type { Transport } from "./transport.js";

/** One coordinator leads one run at a time; agents that name more of them are wrong. */
const MOST_RUNS_AT_ONCE = 20;
/** Sixteen messages each: more agents than this are not asked at once. */
const MOST_PROBED = 256;
/** An answer that old is asked for again. */
const FRESH_US = 30_000_000;

export interface ClockErrors {
  /** The heartbeats, each with the agent's clock error; null where it is not known. */
  of(beats: readonly Heartbeat[]): Promise<(Heartbeat & { readonly clockErrorUs: number | null })[]>;
}

/**
 * How well agents' clocks are known: for a run its leader compares them, and the record has the result. An agent without
 * a run is asked from here; one that measures is left in peace.
 */
export function createClockErrors(
  cluster: { readonly transport: Pick<Transport, "bus" | "state">; readonly subjects: Subjects },
  clock: Clock,
): ClockErrors {
  const { transport, subjects } = cluster;
  const probed = new Map<string, { readonly errorUs: number; readonly atUs: number }>();
  const probe = async (beats: readonly Heartbeat[]) => {
    const nowUs = clock.nowUs();
    for (const [instance, { atUs }] of probed) if (nowUs - atUs > FRESH_US) probed.delete(instance);
    const unknown = beats.filter(({ run, instance }) => run === null && !probed.has(instance));
    const { bus } = transport;
    const asked = unknown.slice(0, MOST_PROBED);
    const offsets = await probeClocks(asked, { bus, subjects, clock, onRefusal: () => undefined });
    for (const { agent, instance } of asked) {
      const errorUs = offsets.get(agent)?.errorUs;
      if (errorUs !== undefined) probed.set(instance, { errorUs, atUs: nowUs });
    }
  };
  return {
    of: async (beats) => {
      const [led] = await Promise.all([errorsByLeader(transport.state, beats), probe(beats)]);
      return beats.map((beat) => ({
        ...beat,
        clockErrorUs: led.get(beat.instance) ?? probed.get(beat.instance)?.errorUs ?? null,
      }));
    },
  };
}

/** By instance. */
async function errorsByLeader(
  state: StateStore,
  beats: readonly Heartbeat[],
): Promise<ReadonlyMap<string, number>> {
  const known = new Map<string, number>();
  const runs = new Set(beats.flatMap((beat) => (beat.run === null ? [] : [beat.run])));
  for (const run of [...runs].slice(0, MOST_RUNS_AT_ONCE)) {
    const entry = await state.get(runKey(run));
    for (const shard of shardsOf(entry?.value)) known.set(shard.instance, shard.clockErrorUs);
  }
  return known;
}

/** None of a record that cannot be read: whoever lists agents did not ask for it. */
function shardsOf(bytes: Uint8Array | undefined): RunRecord["shards"] {
  if (bytes === undefined) return [];
  try {
    return decodeRunRecord(bytes).shards;
  } catch (error) {
    if (error instanceof LoadError) return [];
    throw error;
  }
}
