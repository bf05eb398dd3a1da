import { readdir, readFileSync, statSync } from "node:fs";
import { monitorEventLoopDelay, PerformanceObserver, performance } from "node:perf_hooks";
import type { Vitals } from "@tokenstorm/core";
import { readCgroup } from "./cgroup.js";
import { localPortRange } from "./local-ports.js";
import { SelfProbe } from "./self-probe.js";

/** What the process itself can say; schedule lag and coalescing are the recorder's, sockets the target's. */
export type ProcessVitals = Omit<
  Vitals,
  "scheduleLagP99Us" | "coalescedShare" | "openSockets" | "localPorts"
>;

/** Evidence of how this process fares; one for each process, handed to `createAgent`. */
export interface VitalsSource {
  /** The figures since the last call; of the self-probe, what was read before `beforeUs` of the monotonic clock. */
  read(beforeUs?: number): ProcessVitals;
  /** The self-probe runs from here, until `endProbe`. Both may be called twice. */
  beginProbe(): void;
  endProbe(): void;
  /** Most descriptors that this process may ever open; 0 where unknown. */
  readonly descriptorLimit: number;
  /** Local ports that the system gives out for connections; 0 where unknown. */
  readonly localPortRange: number;
  /** May be called twice. */
  close(): void;
}

/** The monitor wakes each millisecond: an idle loop reads about 1 ms (hotpath figures, section 7). */
const MONITOR_RESOLUTION_MS = 1;

export interface VitalsOptions {
  /** Monotonic, the clock of all stamps. */
  readonly nowUs: () => number;
  /** Hears once why there is no self-probe, or none any more. */
  readonly onNoProbe: (why: string) => void;
}

export function createVitals({ nowUs, onNoProbe }: VitalsOptions): VitalsSource {
  const probe = new SelfProbe({ nowUs, onAbsent: onNoProbe });
  const delay = watchLoopDelay();
  const garbage = watchGarbageCollection();
  const cgroup = readCgroup();
  const descriptorLimit = hardDescriptorLimit();
  const descriptors = countDescriptors();
  let last = takeReading(cgroup.throttledUs());
  return {
    descriptorLimit,
    localPortRange: localPortRange(),
    beginProbe: () => probe.start(),
    endProbe: () => probe.stop(),
    read: (beforeUs = nowUs()) => {
      const now = takeReading(cgroup.throttledUs());
      const shares = sharesBetween(last, now);
      const selfProbe = probe.take(beforeUs);
      const vitals: ProcessVitals = {
        ...delay.take(),
        ...shares,
        gcUs: garbage.takeUs(),
        throttledUs: Math.max(0, now.throttledUs - last.throttledUs),
        rssBytes: process.memoryUsage.rss(),
        descriptors: descriptors(),
        descriptorLimit,
        ...(selfProbe === undefined ? {} : { selfProbe }),
      };
      last = now;
      return vitals;
    },
    close: () => {
      probe.stop();
      delay.close();
      garbage.close();
    },
  };
}

interface Reading {
  readonly wallUs: number;
  readonly cpuUs: number;
  readonly activeMs: number;
  readonly idleMs: number;
  readonly throttledUs: number;
}

function takeReading(throttledUs: number): Reading {
  const cpu = process.cpuUsage();
  const loop = performance.eventLoopUtilization();
  return {
    wallUs: performance.now() * 1000,
    cpuUs: cpu.user + cpu.system,
    activeMs: loop.active,
    idleMs: loop.idle,
    throttledUs,
  };
}

/** Starvation: the loop was busy, but the CPU was not ours. Negative where other threads of the process worked. */
function sharesBetween(from: Reading, to: Reading): Pick<Vitals, "utilisation" | "cpu" | "starvation"> {
  const activeMs = to.activeMs - from.activeMs;
  const loopMs = activeMs + (to.idleMs - from.idleMs);
  const utilisation = loopMs > 0 ? Math.min(1, Math.max(0, activeMs / loopMs)) : 0;
  const wallUs = to.wallUs - from.wallUs;
  const cpu = wallUs > 0 ? Math.max(0, (to.cpuUs - from.cpuUs) / wallUs) : 0;
  return { utilisation, cpu, starvation: utilisation - cpu };
}

/**
 * Reset, the monitor takes its next waking for a first one and measures nothing by it. What follows a reading at once,
 * the agent's own coding of a snapshot above all, would never show; so that one delay is measured here.
 */
function watchLoopDelay(): { take(): Pick<Vitals, "loopDelayP99Us" | "loopDelayMaxUs">; close(): void } {
  const monitor = monitorEventLoopDelay({ resolution: MONITOR_RESOLUTION_MS });
  monitor.enable();
  let firstUs = 0;
  let timer: NodeJS.Timeout | undefined;
  const watchFirst = () => {
    const from = performance.now();
    clearTimeout(timer);
    timer = setTimeout(() => {
      firstUs = Math.max(0, Math.round((performance.now() - from - MONITOR_RESOLUTION_MS) * 1000));
    }, MONITOR_RESOLUTION_MS);
    timer.unref();
  };
  watchFirst();
  return {
    take: () => {
      const p99Us = aboveResolutionUs(monitor.percentile(99));
      // One delay in less than a hundred is beyond the 99th percentile.
      const isBeyondP99 = monitor.count + 1 <= 100;
      const taken = {
        loopDelayP99Us: isBeyondP99 ? Math.max(p99Us, firstUs) : p99Us,
        loopDelayMaxUs: Math.max(aboveResolutionUs(monitor.max), firstUs),
      };
      monitor.reset();
      firstUs = 0;
      watchFirst();
      return taken;
    },
    close: () => {
      clearTimeout(timer);
      monitor.disable();
    },
  };
}

/** An empty monitor's figures are no numbers of time: they count as none. */
function aboveResolutionUs(ns: number): number {
  const us = Math.round(ns / 1000) - MONITOR_RESOLUTION_MS * 1000;
  return Number.isFinite(us) && us > 0 && us < Number.MAX_SAFE_INTEGER / 1000 ? us : 0;
}

function watchGarbageCollection(): { takeUs(): number; close(): void } {
  let ms = 0;
  const observer = new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) ms += entry.duration;
  });
  observer.observe({ entryTypes: ["gc"] });
  return {
    takeUs: () => {
      const us = Math.round(ms * 1000);
      ms = 0;
      return us;
    },
    close: () => observer.disconnect(),
  };
}

/**
 * Linux 6.2 and later give the number of open descriptors as the size of the folder. Before that the folder is listed
 * off the loop, and the figure is that of the call before. 0 where there is no such folder.
 */
function countDescriptors(): () => number {
  const folder = "/proc/self/fd";
  let listed = 0;
  let isListing = false;
  const list = () => {
    if (isListing) return;
    isListing = true;
    readdir(folder, (error, names) => {
      isListing = false;
      listed = error === null ? names.length : 0;
    });
  };
  return () => {
    const size = statSync(folder, { throwIfNoEntry: false })?.size;
    if (size === undefined || size > 0) return size ?? 0;
    list();
    return listed;
  };
}

/** Open files allowed; 0 where unknown. Node raises its own limit to the hard one when it starts, so that is what holds. */
export function hardDescriptorLimit(): number {
  try {
    const limits = readFileSync("/proc/self/limits", "utf8");
    return Number(/^Max open files\s+\S+\s+(\d+)/m.exec(limits)?.[1] ?? 0);
  } catch {
    return 0;
  }
}
