import { type LiveUpdate, LoadError, type RunRecord } from "@tokenstorm/core";
import { onDenied, type Subscription, systemClock, watchRun } from "@tokenstorm/protocol";
import type { Cluster } from "../cluster.js";

const LOOK_MS = 1000;
/** No coordinator has taken the run up, or it has said nothing: the run is not waited for any longer. */
const UNCLAIMED_LIMIT_MS = 15_000;
const SILENT_LIMIT_MS = 90_000;
const SILENT_NOTE_MS = 6000;

export interface FollowOptions {
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
export async function followRun(cluster: Cluster, options: FollowOptions): Promise<RunRecord | undefined> {
  let latest: RunRecord | undefined;
  const watch = watchRun(cluster, {
    clock: systemClock(),
    run: options.run,
    onRecord: (record) => {
      latest = record;
    },
    onLive: options.onUpdate,
  });
  const silence = watchSilence(cluster, options, () => latest?.state ?? "submitted");
  const left = onceAborted(options.signal);
  try {
    return await Promise.race([watch.ended, silence.tooLong, left.aborted]);
  } finally {
    watch.close();
    silence.close();
    left.close();
  }
}

/** Beacons come once a second: rejects when none was heard for too long. */
function watchSilence(
  { transport, subjects }: Cluster,
  { run, onNote }: FollowOptions,
  state: () => RunRecord["state"],
): { readonly tooLong: Promise<never>; close(): void } {
  let heardAt = performance.now();
  let hasNoted = false;
  const subscription = transport.bus.subscribe(subjects.beacon, () => {
    heardAt = performance.now();
    hasNoted = false;
  });
  let timer: NodeJS.Timeout | undefined;
  let denials: Subscription | undefined;
  const tooLong = new Promise<never>((_, reject) => {
    denials = onDenied(transport.bus, [subjects.beacon], reject);
    timer = setInterval(() => {
      const silentMs = performance.now() - heardAt;
      const error = silenceError(run, silentMs, state() === "submitted");
      if (error !== undefined) reject(error);
      if (silentMs < SILENT_NOTE_MS || hasNoted) return;
      hasNoted = true;
      onNote(`no word from a coordinator for ${Math.round(silentMs / 1000)} s; still waiting`);
    }, LOOK_MS);
  });
  tooLong.catch(() => undefined);
  return {
    tooLong,
    close: () => {
      clearInterval(timer);
      subscription.close();
      denials?.close();
    },
  };
}

function silenceError(run: string, silentMs: number, isUnclaimed: boolean): LoadError | undefined {
  if (isUnclaimed && silentMs > UNCLAIMED_LIMIT_MS) {
    return new LoadError("AGENTS_INSUFFICIENT", `no coordinator answers: nobody takes up run ${run}`, {
      hint: "start one: tokenstorm coordinator --nats URL",
    });
  }
  if (silentMs <= SILENT_LIMIT_MS) return undefined;
  const seconds = Math.round(silentMs / 1000);
  return new LoadError("RUN_ABORTED", `the coordinator of run ${run} has been silent for ${seconds} s`, {
    hint: `when it is back: tokenstorm tail ${run}, tokenstorm report ${run}`,
  });
}

function onceAborted(signal: AbortSignal): { readonly aborted: Promise<undefined>; close(): void } {
  let onAbort: () => void = () => undefined;
  const aborted = new Promise<undefined>((resolve) => {
    onAbort = () => resolve(undefined);
    signal.addEventListener("abort", onAbort, { once: true });
    if (signal.aborted) resolve(undefined);
  });
  return { aborted, close: () => signal.removeEventListener("abort", onAbort) };
}
