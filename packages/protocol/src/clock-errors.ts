import { type Clock, LoadError, type RunRecord } from "@tokenstorm/core";
import { probeClocks } from "./clock-probes.js";
import { decodeRunRecord } from "./codec.js";
import type { Heartbeat } from "./messages/index.js";
import type { StateStore } from "./state-store.js";
import { runKey, type Subjects } from "./subjects.js";
import type { Transport } from "./transport.js";

/** One coordinator leads one run at a time; agents that name more of them are wrong. */
const MOST_RUNS_AT_ONCE = 20;
/** Sixteen messages each: more agents than this are not asked at once. */
const MOST_PROBED = 256;
/** An answer that old is asked for again, and so is one that did not come. */
const FRESH_US = 30_000_000;
/** Whoever asks for a list waits no longer for agents that are silent. */
const PROBING_US = 2_000_000;

export interface ClockErrors {
  /** The heartbeats, each with the agent's clock error; null where it is not known. */
  of(beats: readonly Heartbeat[]): Promise<(Heartbeat & { readonly clockErrorUs: number | null })[]>;
}

/**
 * How well agents' clocks are known: for a run its leader compares them, and the record has the result. An agent without
 * a run is asked from here, once for all who want to know; one that measures is left in peace.
 */
export function createClockErrors(
  cluster: { readonly transport: Pick<Transport, "bus" | "state">; readonly subjects: Subjects },
  clock: Clock,
): ClockErrors {
  const { transport, subjects } = cluster;
  /** By instance; null for one that was silent. */
  const probed = new Map<string, { readonly errorUs: number | null; readonly atUs: number }>();
  /** Those that are being asked, by instance: whoever wants to know waits with the first who did. */
  const asking = new Map<string, Promise<void>>();
  const ask = async (beats: readonly Heartbeat[]) => {
    const atUs = clock.nowUs();
    const { bus } = transport;
    const onRefusal = () => undefined;
    const offsets = await probeClocks(beats, { bus, subjects, clock, untilUs: atUs + PROBING_US, onRefusal });
    for (const { agent, instance } of beats) {
      probed.set(instance, { errorUs: offsets.get(agent)?.errorUs ?? null, atUs });
    }
  };
  const probe = async (beats: readonly Heartbeat[]) => {
    const nowUs = clock.nowUs();
    for (const [instance, { atUs }] of probed) if (nowUs - atUs > FRESH_US) probed.delete(instance);
    const unknown = beats.filter(({ run, instance }) => run === null && !probed.has(instance));
    const fresh = unknown.filter(({ instance }) => !asking.has(instance)).slice(0, MOST_PROBED - asking.size);
    const answers = ask(fresh).finally(() => {
      for (const { instance } of fresh) asking.delete(instance);
    });
    for (const { instance } of fresh) asking.set(instance, answers);
    await Promise.all([answers, ...unknown.map(({ instance }) => asking.get(instance))]);
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
