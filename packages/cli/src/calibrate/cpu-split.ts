import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";

/** CPUs for the null server and for the client, in taskset's words. */
export interface CpuSplit {
  readonly server: string;
  readonly client: string;
}

/**
 * The server gets the last CPU, the client all the others but that CPU's siblings, where enough are left: two threads of
 * one core are not two cores. `allowed` and each of `siblings` (by CPU) are lists like `0,2-3`. Null where there is one CPU.
 */
export function splitCpus(allowed: string, siblings: (cpu: number) => string | null): CpuSplit | null {
  const cpus = cpuList(allowed);
  const server = cpus.at(-1);
  if (server === undefined || cpus.length < 2) return null;
  const ofServer = new Set(cpuList(siblings(server) ?? ""));
  const others = cpus.filter((cpu) => cpu !== server);
  const apart = others.filter((cpu) => !ofServer.has(cpu));
  return { server: String(server), client: (apart.length > 0 ? apart : others).join(",") };
}

/** How this process's CPUs are split; undefined where they cannot be given: no Linux, or no taskset. */
export function splitOwnCpus(): CpuSplit | undefined {
  const allowed = /^Cpus_allowed_list:\s*(\S+)/m.exec(readText("/proc/self/status") ?? "")?.[1];
  const split = splitCpus(allowed ?? "", (cpu) =>
    readText(`/sys/devices/system/cpu/cpu${cpu}/topology/thread_siblings_list`),
  );
  if (split === null) return undefined;
  const tried = spawnSync("taskset", ["-c", split.server, "true"], { stdio: "ignore" });
  return tried.status === 0 ? split : undefined;
}

function cpuList(text: string): number[] {
  const cpus = text
    .trim()
    .split(",")
    .filter((part) => /^\d+(-\d+)?$/.test(part))
    .flatMap((part) => {
      const [from = 0, to = from] = part.split("-").map(Number);
      return Array.from({ length: Math.max(0, Math.min(to, MOST_CPUS) - from + 1) }, (_, i) => from + i);
    });
  return [...new Set(cpus)].sort((a, b) => a - b);
}

const MOST_CPUS = 8192;

function readText(file: string): string | null {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return null;
  }
}
