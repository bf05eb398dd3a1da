import { isTerminal, type LiveUpdate, LoadError, type RunRecord } from "@tokenstorm/core";
import {
  decodeLive,
  decodeRunRecord,
  runKey,
  type Subjects,
  type Subscription,
  type Transport,
} from "@tokenstorm/protocol";

const POLL_MS = 500;
/** No coordinator took the run up, or it has said nothing: the run is not waited for any longer. */
const UNCLAIMED_LIMIT_MS = 15_000;
const SILENT_LIMIT_MS = 90_000;
const SILENT_NOTE_MS = 6000;

export interface FollowOptions {
  readonly transport: Transport;
  readonly subjects: Subjects;
  readonly run: string;
  readonly onUpdate: (update: LiveUpdate) => void;
  readonly onNote: (text: string) => void;
  /** Ends the wait; the promise then resolves with undefined. The run is not touched. */
  readonly signal: AbortSignal;
}

/**
 * Follows a run to its end: live updates as they come, the record in the StateStore as the truth. Resolves with the
 * record in its final state. Throws AGENTS_INSUFFICIENT when no coordinator takes the run up, RUN_ABORTED when the
 * coordinator falls silent, BUS_UNAVAILABLE when NATS does, RUN_UNKNOWN when the run is gone.
 */
export async function followRun(options: FollowOptions): Promise<RunRecord | undefined> {
  const { transport, subjects, run } = options;
  const leader = watchLeader(transport, subjects);
  const live = transport.bus.subscribe(subjects.live(run), (message) => {
    const update = updateOf(message.data);
    if (update !== undefined) options.onUpdate(update);
  });
  let hasNoted = false;
  let latest: RunRecord | undefined;
  try {
    while (!options.signal.aborted) {
      latest = (await readRecord(options)) ?? latest;
      if (latest !== undefined && isTerminal(latest.state)) return latest;
      const silentMs = leader.silentMs();
      checkSilence(latest, silentMs, run);
      if (silentMs > SILENT_NOTE_MS && !hasNoted) {
        options.onNote(`no word from the coordinator for ${Math.round(silentMs / 1000)} s; still waiting`);
      }
      hasNoted = silentMs > SILENT_NOTE_MS;
      await pause(POLL_MS, options.signal);
    }
    return undefined;
  } finally {
    live.close();
    leader.close();
  }
}

/** How long ago a beacon was heard, since this began. */
function watchLeader(transport: Transport, subjects: Subjects): Subscription & { silentMs(): number } {
  let heardAt = performance.now();
  const subscription = transport.bus.subscribe(subjects.beacon, () => {
    heardAt = performance.now();
  });
  return { silentMs: () => performance.now() - heardAt, close: () => subscription.close() };
}

/** Undefined while NATS is away: the client reconnects by itself, and the leader's silence is the limit. */
async function readRecord({ transport, run }: FollowOptions): Promise<RunRecord | undefined> {
  try {
    const entry = await transport.state.get(runKey(run));
    if (entry !== undefined) return decodeRunRecord(entry.value);
  } catch (error) {
    if (error instanceof LoadError && error.code === "BUS_UNAVAILABLE") return undefined;
    throw error;
  }
  throw new LoadError("RUN_UNKNOWN", `the run ${run} is gone from the state store`);
}

function checkSilence(record: RunRecord | undefined, silentMs: number, run: string): void {
  const isUnclaimed = record === undefined || record.state === "submitted";
  if (isUnclaimed && silentMs > UNCLAIMED_LIMIT_MS) {
    throw new LoadError("AGENTS_INSUFFICIENT", `no coordinator answers: nobody has taken up run ${run}`, {
      hint: "start one: tokenstorm coordinator --nats URL",
    });
  }
  if (silentMs > SILENT_LIMIT_MS) {
    const seconds = Math.round(silentMs / 1000);
    throw new LoadError("RUN_ABORTED", `the coordinator of run ${run} has been silent for ${seconds} s`, {
      hint: `when it is back: tokenstorm tail ${run}, tokenstorm report ${run}`,
    });
  }
}

/** A message that is none is not for us to complain about; the leader counts those that it gets. */
function updateOf(bytes: Uint8Array): LiveUpdate | undefined {
  try {
    return decodeLive(bytes);
  } catch (error) {
    if (error instanceof LoadError) return undefined;
    throw error;
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", done);
  });
}
