import {
  type Cancel,
  type Clock,
  isTerminal,
  type LiveUpdate,
  LoadError,
  type RunRecord,
} from "@tokenstorm/core";
import { decodeLive } from "./codec.js";
import { type Cluster, readRun } from "./run-store.js";

/** The record is read so often: an end is seen though no live message tells of it. */
const POLL_MS = 1000;
/** Without one successful reading for so long a viewer gives up; the run is not touched by that. */
const UNREADABLE_LIMIT_MS = 60_000;

export interface RunWatch {
  /** The terminal record. Rejects with RUN_UNKNOWN, BUS_UNAVAILABLE, BUS_DENIED; never resolves after `close`. */
  readonly ended: Promise<RunRecord>;
  /** May be called twice. */
  close(): void;
}

export interface WatchOptions {
  readonly clock: Clock;
  readonly run: string;
  /** Each revision of the record once. */
  readonly onRecord?: (record: RunRecord) => void;
  /** The leader's merged message, once a second. */
  readonly onLive?: (update: LiveUpdate) => void;
}

/** Follows a run to its end, from anywhere and from any time on. */
export function watchRun(cluster: Cluster, options: WatchOptions): RunWatch {
  const { clock, run } = options;
  let poll: Cancel | undefined;
  let isClosed = false;
  let isReading = false;
  let revision = -1;
  let readAtUs = clock.nowUs();
  let finish: (record: RunRecord) => void = () => undefined;
  let refuse: (error: unknown) => void = () => undefined;
  const ended = new Promise<RunRecord>((resolve, reject) => {
    finish = resolve;
    refuse = reject;
  });
  // Whoever closes early never looks at it.
  ended.catch(() => undefined);

  const close = () => {
    isClosed = true;
    poll?.();
    live.close();
  };
  const take = (record: RunRecord) => {
    readAtUs = clock.nowUs();
    if (record.revision > revision) {
      revision = record.revision;
      options.onRecord?.(record);
    }
    if (!isTerminal(record.state)) return;
    close();
    finish(record);
  };
  const giveUp = (error: unknown) => {
    // What somebody has written over a record that could be read is put right by whoever leads the run.
    const isSpoilt = error instanceof LoadError && error.code.startsWith("PROTOCOL") && revision >= 0;
    const isOutage = error instanceof LoadError && error.code === "BUS_UNAVAILABLE";
    if ((isOutage || isSpoilt) && clock.nowUs() - readAtUs < UNREADABLE_LIMIT_MS * 1000) return;
    close();
    refuse(error);
  };
  const read = async () => {
    if (isReading || isClosed) return;
    isReading = true;
    try {
      const { record } = await readRun(cluster.transport, run);
      if (!isClosed) take(record);
    } catch (error) {
      if (!isClosed) giveUp(error);
    }
    isReading = false;
    if (isClosed) return;
    poll?.();
    poll = clock.at(clock.nowUs() + POLL_MS * 1000, () => void read());
  };
  const live = cluster.transport.bus.subscribe(cluster.subjects.live(run), ({ data }) => {
    const update = readLive(data);
    if (isClosed || update === undefined || update.run !== run) return;
    options.onLive?.(update);
    if (isTerminal(update.state)) void read();
  });
  void read();
  return { ended, close };
}

function readLive(data: Uint8Array): LiveUpdate | undefined {
  try {
    return decodeLive(data);
  } catch (error) {
    if (error instanceof LoadError) return undefined;
    throw error;
  }
}
