import {
  type Capacity,
  carriedRate,
  LoadError,
  lowestCapacity,
  type RateLadder,
  READER_NAMES,
  type ReaderCapacity,
  type ReaderName,
} from "@tokenstorm/core";
import { type Child, startChild } from "../child-processes.js";
import { HEALTH_ENV } from "../health.js";
import type { CalibrationLevel } from "./calibration-schema.js";
import type { CpuSplit } from "./cpu-split.js";
import { type CalibrationPart, PartMessage } from "./parts.js";

/** What is tried, and how long it may take. */
export interface CalibrationScope {
  readonly rates: readonly number[];
  readonly streams: readonly number[];
  readonly intervals: number;
  readonly limitMs: number;
}

export const FULL_SCOPE: CalibrationScope = {
  rates: [3_000, 6_000, 12_000, 18_000, 24_000, 36_000, 48_000, 72_000, 108_000, 162_000],
  streams: [1000, 100],
  intervals: 2,
  limitMs: 88_000,
};

/** Under half a minute: rates twice as far apart, one number of streams, a second for each level. */
export const QUICK_SCOPE: CalibrationScope = {
  rates: [3_000, 6_000, 12_000, 24_000, 48_000, 96_000],
  streams: [1000],
  intervals: 1,
  limitMs: 29_000,
};

/** Of undici's search; that of raw begins where undici's has ended, which is lower as a rule. */
const FIRST_EVENTS_PER_S = 12_000;
const START_LIMIT_MS = 15_000;
/** For the start of a client's process, and for its end. */
const CLIENT_STARTS_MS = 2_500;
const CLIENT_ENDS_MS = 5_000;

export interface CalibrateHostOptions {
  readonly scope: CalibrationScope;
  readonly cpus: CpuSplit | undefined;
  readonly onLevel: (level: CalibrationLevel) => void;
  readonly signal: AbortSignal;
}

export interface HostFindings {
  readonly capacity: Capacity;
  readonly levels: readonly CalibrationLevel[];
}

/**
 * Tries both readers, one behind the other, each in a process of its own against one null server in a third. Leaves no
 * process behind, however it ends. Throws LoadError AGENT_NOT_READY when a process fails or the signal is aborted.
 */
export async function calibrateHost(options: CalibrateHostOptions): Promise<HostFindings> {
  const { scope, cpus, onLevel, signal } = options;
  const endMs = performance.now() + scope.limitMs;
  const levels: CalibrationLevel[] = [];
  const server = startServer(cpus?.server);
  const abort = () => void server.child.close();
  signal.addEventListener("abort", abort, { once: true });
  try {
    const serverUrl = await server.url;
    let firstEventsPerS = FIRST_EVENTS_PER_S;
    for (const [i, reader] of READER_NAMES.entries()) {
      const leftMs = (endMs - performance.now()) / (READER_NAMES.length - i);
      const ladder: RateLadder = { rates: scope.rates, firstEventsPerS };
      const { streams, intervals } = scope;
      const limitMs = Math.max(1, leftMs - CLIENT_STARTS_MS);
      const client = { kind: "client", reader, serverUrl, ladder, streams, intervals, limitMs } as const;
      await measure(client, {
        cpus: cpus?.client,
        signal,
        endMs: performance.now() + leftMs + CLIENT_ENDS_MS,
        onLevel: (level) => {
          levels.push(level);
          onLevel(level);
        },
      });
      firstEventsPerS = Math.max(firstEventsPerS, carriedBy(reader, levels).eventsPerS);
    }
  } finally {
    signal.removeEventListener("abort", abort);
    await server.child.close();
  }
  return { levels, capacity: { undici: carriedBy("undici", levels), raw: carriedBy("raw", levels) } };
}

/** The lowest of its numbers of streams. */
export function carriedBy(reader: ReaderName, levels: readonly CalibrationLevel[]): ReaderCapacity {
  const own = levels.filter((level) => level.reader === reader);
  const streams = [...new Set(own.map((level) => level.streams))];
  if (streams.length === 0) return { eventsPerS: 0, isAtLeast: true };
  return lowestCapacity(streams.map((one) => carriedRate(own.filter((level) => level.streams === one))));
}

function startServer(cpus: string | undefined): { readonly child: Child; readonly url: Promise<string> } {
  let onUrl: (url: string) => void = () => undefined;
  const child = startPart({ kind: "server" }, cpus, (message) => {
    if (message.kind === "serving") onUrl(message.url);
  });
  const url = new Promise<string>((resolve, reject) => {
    onUrl = resolve;
    const limit = setTimeout(() => reject(notReady("the null server was not ready in time")), START_LIMIT_MS);
    limit.unref();
    void child.ended.then(() => reject(endError(child)));
  });
  // It also ends after it was used.
  url.catch(() => undefined);
  return { child, url };
}

interface Measuring {
  readonly cpus: string | undefined;
  readonly signal: AbortSignal;
  readonly endMs: number;
  readonly onLevel: (level: CalibrationLevel) => void;
}

async function measure(part: CalibrationPart, { cpus, signal, endMs, onLevel }: Measuring): Promise<void> {
  if (signal.aborted) throw notReady("the calibration was stopped");
  const child = startPart(part, cpus, (message) => {
    if (message.kind === "level") onLevel(message.level);
  });
  let isLate = false;
  const stop = () => void child.close();
  const limit = setTimeout(() => {
    isLate = true;
    stop();
  }, endMs - performance.now());
  signal.addEventListener("abort", stop, { once: true });
  try {
    const { code } = await child.ended;
    if (signal.aborted) throw notReady("the calibration was stopped");
    // A client that did not end in time, on a host that is too busy for it, has said what it found.
    if (code !== 0 && !isLate) throw endError(child);
  } finally {
    clearTimeout(limit);
    signal.removeEventListener("abort", stop);
    await child.close();
  }
}

function startPart(
  part: CalibrationPart,
  cpus: string | undefined,
  onMessage: (message: PartMessage) => void,
): Child {
  return startChild({
    name: part.kind === "server" ? "null server" : `client with ${part.reader}`,
    args: ["calibrate", "--part", JSON.stringify(part)],
    env: { [HEALTH_ENV]: "" },
    cpus,
    onMessage: (message) => {
      const parsed = PartMessage.safeParse(message);
      if (parsed.success) onMessage(parsed.data);
    },
  });
}

function endError(child: Child): LoadError {
  const last = child.lastError();
  return new LoadError(
    "AGENT_NOT_READY",
    `the ${child.name} ended${last === undefined ? "" : `: ${last.message}`}`,
    {
      hint: last?.hint,
    },
  );
}

const notReady = (message: string): LoadError => new LoadError("AGENT_NOT_READY", message);
