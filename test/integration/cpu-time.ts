import { readdirSync, readFileSync } from "node:fs";

/** A tick of the kernel's accounts, on every Linux that is about. */
const TICK_MS = 10;

interface ProcessTimes {
  readonly parent: number;
  readonly ownMs: number;
  /** Of its children that have ended. */
  readonly endedMs: number;
}

/** User and system time of a process so far. */
export function cpuMs(pid: number): number {
  return timesOf(pid)?.ownMs ?? 0;
}

/** What the machine's processors did so far, and what of it this process and its descendants did. */
export function machineCpuMs(): { readonly allMs: number; readonly oursMs: number } {
  const [, user = 0, nice = 0, system = 0, , , irq = 0, softIrq = 0, steal = 0] = (
    readFileSync("/proc/stat", "utf8").split("\n")[0] ?? ""
  )
    .split(/\s+/)
    .map(Number);
  const all = new Map<number, ProcessTimes>();
  for (const name of readdirSync("/proc").filter((entry) => /^\d+$/.test(entry))) {
    const times = timesOf(Number(name));
    if (times !== undefined) all.set(Number(name), times);
  }
  let oursMs = 0;
  for (const [pid, { ownMs, endedMs }] of all) if (descends(pid, all)) oursMs += ownMs + endedMs;
  return { allMs: (user + nice + system + irq + softIrq + steal) * TICK_MS, oursMs };
}

function descends(pid: number, all: ReadonlyMap<number, ProcessTimes>): boolean {
  for (let at: number | undefined = pid; at !== undefined && at > 1; at = all.get(at)?.parent)
    if (at === process.pid) return true;
  return false;
}

/** Undefined for a process that has ended meanwhile. */
function timesOf(pid: number): ProcessTimes | undefined {
  try {
    // Behind the name, which may hold anything, from the third field on.
    const text = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = text
      .slice(text.lastIndexOf(")") + 2)
      .split(" ")
      .map(Number);
    const [, parent = 0] = fields;
    const ms = (first: number) => ((fields[first] ?? 0) + (fields[first + 1] ?? 0)) * TICK_MS;
    return { parent, ownMs: ms(11), endedMs: ms(13) };
  } catch {
    return undefined;
  }
}
