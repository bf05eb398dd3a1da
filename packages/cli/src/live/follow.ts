import { type LiveUpdate, LoadError, type RunRecord } from "@tokenstorm/core";
import { type HeardEnd, onDenied, systemClock, watchLive, watchRun } from "@tokenstorm/protocol";
import type { Cluster } from "../cluster.js";

const LOOK_MS = 1000;
/** No coordinator has taken the run up, or it has said nothing: the run is not waited for any longer. */
const UNCLAIMED_LIMIT_MS = 15_000;
const SILENT_LIMIT_MS = 90_000;
const SILENT_NOTE_MS = 6000;
/** Live messages come once a second. */
const WAITING_NOTE_MS = 2000;

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
  const silence = watchSilence(
    cluster,
    { run: () => options.run, onNote: options.onNote },
    () => latest?.state ?? "submitted",
  );
  const denied = onceDenied(cluster, cluster.subjects.live(options.run));
  const left = onceAborted(options.signal);
  try {
    return await Promise.race([watch.ended, silence.tooLong, denied.asError, left.aborted]);
  } finally {
    watch.close();
    denied.close();
    silence.close();
    left.close();
  }
}

export interface FollowLiveOptions extends Omit<FollowOptions, "run"> {
  /** The beginning of an id; any run where it is not given. */
  readonly run: string | undefined;
  /** For how long a run that is not there yet is waited for; for ever where it is not given. */
  readonly waitLimitMs: number | undefined;
}

/**
 * The same for a user who may only listen. Throws RUN_UNKNOWN when no run is heard within the limit, RUN_ABORTED when
 * the coordinator falls silent.
 */
export async function followLive(
  cluster: Cluster,
  options: FollowLiveOptions,
): Promise<HeardEnd | undefined> {
  let heard: string | undefined;
  const watch = watchLive(cluster, {
    clock: systemClock(),
    run: options.run,
    onLive: (update) => {
      heard = update.run;
      options.onUpdate(update);
    },
  });
  const silence = watchSilence(
    cluster,
    { run: () => heard ?? options.run ?? "", onNote: options.onNote },
    () => (heard === undefined ? undefined : "running"),
  );
  const denied = onceDenied(cluster, cluster.subjects.allLive);
  const left = onceAborted(options.signal);
  const none = noneWithin(options, () => heard !== undefined);
  try {
    return await Promise.race([watch.ended, silence.tooLong, denied.asError, left.aborted, none.tooLong]);
  } finally {
    watch.close();
    denied.close();
    silence.close();
    left.close();
    none.close();
  }
}

/** Tells that it waits, and rejects when the limit is over. */
function noneWithin(
  { run, waitLimitMs, onNote }: FollowLiveOptions,
  isHeard: () => boolean,
): { readonly tooLong: Promise<never>; close(): void } {
  const what = run === undefined ? "no run is under way" : `nothing is heard of a run ${run}`;
  const timers = [setTimeout(() => isHeard() || onNote(`${what}; waiting for it to begin`), WAITING_NOTE_MS)];
  const tooLong = new Promise<never>((_, reject) => {
    if (waitLimitMs === undefined) return;
    const error = new LoadError("RUN_UNKNOWN", what, { hint: "tokenstorm tail --wait waits for one" });
    timers.push(setTimeout(() => isHeard() || reject(error), waitLimitMs));
  });
  tooLong.catch(() => undefined);
  return {
    tooLong,
    close: () => {
      for (const timer of timers) clearTimeout(timer);
    },
  };
}

/** Beacons come once a second: rejects when none was heard for too long. `state` is undefined while no run is known. */
function watchSilence(
  { transport, subjects }: Cluster,
  { run, onNote }: { readonly run: () => string; readonly onNote: FollowOptions["onNote"] },
  state: () => RunRecord["state"] | undefined,
): { readonly tooLong: Promise<never>; close(): void } {
  let heardAt = performance.now();
  let hasNoted = false;
  const subscription = transport.bus.subscribe(subjects.beacon, () => {
    heardAt = performance.now();
    hasNoted = false;
  });
  let timer: NodeJS.Timeout | undefined;
  const tooLong = new Promise<never>((_, reject) => {
    timer = setInterval(() => {
      const silentMs = performance.now() - heardAt;
      const now = state();
      const error = now === undefined ? undefined : silenceError(run(), silentMs, now === "submitted");
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

/** A subscription that the server refuses would be heard as silence for ever: it rejects with BUS_DENIED. */
function onceDenied(
  { transport, subjects }: Cluster,
  live: string,
): { readonly asError: Promise<never>; close(): void } {
  let refuse: (error: LoadError) => void = () => undefined;
  const asError = new Promise<never>((_, reject) => {
    refuse = reject;
  });
  asError.catch(() => undefined);
  const denials = onDenied(transport.bus, [subjects.beacon, live], refuse);
  return { asError, close: () => denials.close() };
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
