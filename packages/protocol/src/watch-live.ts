import { type Clock, isTerminal, type LiveUpdate, LoadError, type RunState } from "@tokenstorm/core";
import { decodeBeacon, decodeLive } from "./codec.js";
import type { Subjects } from "./subjects.js";
import type { Transport } from "./transport.js";

/** Beacons and live updates come once a second: a run that neither names for so long is over, or led no more. */
const GONE_US = 5_000_000;
const LOOK_US = 1_000_000;

/** How a run ended, for somebody who could only listen. */
export interface HeardEnd {
  readonly run: string;
  /** Null where its last word was not heard. */
  readonly state: RunState | null;
  /** What the leader said last. */
  readonly notes: readonly string[];
}

export interface LiveWatch {
  /** Never rejects; never resolves after `close`. */
  readonly ended: Promise<HeardEnd>;
  /** May be called twice. */
  close(): void;
}

export interface LiveWatchOptions {
  readonly clock: Clock;
  /** The beginning of a run's id; the first run that is heard where it is not given. */
  readonly run?: string | undefined;
  readonly onLive: (update: LiveUpdate) => void;
}

/**
 * Follows a run by what the leader says aloud, beacon and live messages, and asks for nothing: all that a viewer may do.
 * Waits for a run that is not there yet.
 */
export function watchLive(
  cluster: { readonly transport: Pick<Transport, "bus">; readonly subjects: Subjects },
  options: LiveWatchOptions,
): LiveWatch {
  const { clock } = options;
  const { transport, subjects } = cluster;
  let last: LiveUpdate | undefined;
  let namedAtUs = clock.nowUs();
  let beaconAtUs = clock.nowUs();
  let isClosed = false;
  let finish: (end: HeardEnd) => void = () => undefined;
  const ended = new Promise<HeardEnd>((resolve) => {
    finish = resolve;
  });

  const close = () => {
    isClosed = true;
    cancelLook();
    live.close();
    beacon.close();
  };
  const end = (update: LiveUpdate, state: RunState | null) => {
    close();
    finish({ run: update.run, state, notes: update.notes });
  };
  const live = transport.bus.subscribe(subjects.allLive, ({ data }) => {
    const update = readable(() => decodeLive(data));
    if (isClosed || update === undefined || !isWanted(update, last, options.run)) return;
    last = update;
    namedAtUs = clock.nowUs();
    options.onLive(update);
    if (isTerminal(update.state)) end(update, update.state);
  });
  const beacon = transport.bus.subscribe(subjects.beacon, ({ data }) => {
    const heard = readable(() => decodeBeacon(data));
    if (heard === undefined) return;
    beaconAtUs = clock.nowUs();
    if (heard.run === last?.run) namedAtUs = beaconAtUs;
  });
  const look = () => {
    const nowUs = clock.nowUs();
    // While no beacon comes it is the coordinator, or the way to it, that is silent.
    const isLed = nowUs - beaconAtUs < GONE_US;
    if (last !== undefined && isLed && nowUs - namedAtUs >= GONE_US) end(last, null);
    else if (!isClosed) cancelLook = clock.at(nowUs + LOOK_US, look);
  };
  let cancelLook = clock.at(clock.nowUs() + LOOK_US, look);
  return { ended, close };
}

/** Of several, the first that fits is kept to. The end of one that was never watched is no run to watch. */
function isWanted(update: LiveUpdate, last: LiveUpdate | undefined, wanted: string | undefined): boolean {
  if (last !== undefined) return update.run === last.run;
  return wanted === undefined ? !isTerminal(update.state) : update.run.startsWith(wanted);
}

/** Garbage is passed over: whoever only looks need not know of it. */
function readable<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof LoadError) return undefined;
    throw error;
  }
}
