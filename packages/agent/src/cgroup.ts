import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";

/** What the process's control groups say about CPU; files of cgroup v1 and v2 alike. */
export interface Cgroup {
  /** CPUs that the quota allows, such as 1.5; null where there is none. */
  cpuQuota(): number | null;
  /** Time for which the quota has stopped this group so far, us; 0 where nothing is said. */
  throttledUs(): number;
}

/** Finds the process's own groups once. `root` stands for `/`, so that a test can lay out files of its own. */
export function readCgroup(root = "/"): Cgroup {
  const folders = cpuFolders(root);
  return {
    cpuQuota: () => smallestQuota(folders),
    throttledUs: () => throttled(folders),
  };
}

/**
 * How many agent processes `--processes auto` starts: one for each CPU that this process may use, by affinity
 * (cpuset) and by quota; at least one.
 */
export function autoProcesses(
  options: { readonly cpus?: number; readonly quota?: number | null } = {},
): number {
  const cpus = options.cpus ?? availableParallelism();
  const quota = options.quota === undefined ? readCgroup().cpuQuota() : options.quota;
  return Math.max(1, Math.floor(Math.min(cpus, quota ?? cpus)));
}

interface CpuFolders {
  readonly version: 1 | 2;
  /** From the process's own group up to the root: any of them may hold the tightest quota. */
  readonly folders: readonly string[];
}

function cpuFolders(root: string): CpuFolders | null {
  const lines = (readText(join(root, "proc/self/cgroup")) ?? "").split("\n").map((line) => line.split(":"));
  const mount = join(root, "sys/fs/cgroup");
  const v1 = lines.find((fields) => fields[1]?.split(",").includes("cpu"));
  if (v1 !== undefined) {
    const controller = [v1[1] ?? "cpu", "cpu", "cpu,cpuacct"].find(
      (name) => readText(join(mount, name, "cpu.stat")) !== undefined,
    );
    return controller === undefined
      ? null
      : { version: 1, folders: upwards(join(mount, controller), v1[2] ?? "/") };
  }
  const v2 = lines.find((fields) => fields[0] === "0" && fields[1] === "");
  return v2 === undefined ? null : { version: 2, folders: upwards(mount, v2[2] ?? "/") };
}

/** `/a/b` below the mount: its folder, `/a`, and the mount itself (all that a container may see of its own). */
function upwards(mount: string, path: string): string[] {
  const parts = path.split("/").filter((part) => part !== "" && part !== "..");
  return Array.from({ length: parts.length + 1 }, (_, up) =>
    join(mount, ...parts.slice(0, parts.length - up)),
  );
}

function smallestQuota(groups: CpuFolders | null): number | null {
  let smallest: number | null = null;
  for (const folder of groups?.folders ?? []) {
    const quota = groups?.version === 2 ? quotaOfV2(folder) : quotaOfV1(folder);
    if (quota !== null && (smallest === null || quota < smallest)) smallest = quota;
  }
  return smallest;
}

/** `cpu.max` is `<quota us> <period us>`, or `max <period us>`. */
function quotaOfV2(folder: string): number | null {
  const [quota, period] = (readText(join(folder, "cpu.max")) ?? "max").trim().split(/\s+/).map(Number);
  return positiveRatio(quota, period);
}

/** A quota of -1 is none. */
function quotaOfV1(folder: string): number | null {
  return positiveRatio(
    Number(readText(join(folder, "cpu.cfs_quota_us")) ?? Number.NaN),
    Number(readText(join(folder, "cpu.cfs_period_us")) ?? Number.NaN),
  );
}

function positiveRatio(quota: number | undefined, period: number | undefined): number | null {
  if (quota === undefined || period === undefined) return null;
  return quota > 0 && period > 0 ? quota / period : null;
}

/** The own group's figure; `throttled_usec` in v2, `throttled_time` in ns in v1. */
function throttled(groups: CpuFolders | null): number {
  for (const folder of groups?.folders ?? []) {
    const stat = readText(join(folder, "cpu.stat"));
    if (stat === undefined) continue;
    const us = /^throttled_usec (\d+)$/m.exec(stat)?.[1];
    const ns = /^throttled_time (\d+)$/m.exec(stat)?.[1];
    return us !== undefined ? Number(us) : Math.round(Number(ns ?? 0) / 1000);
  }
  return 0;
}

/** Undefined where there is no such file: other systems, other cgroup versions. */
function readText(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}
