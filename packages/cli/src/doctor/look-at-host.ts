import { existsSync, readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { hardDescriptorLimit, localPortRange, readCgroup } from "@tokenstorm/agent";
import type { Capacity, HostFacts } from "@tokenstorm/core";
import { formatCount } from "@tokenstorm/report";
import { calibrationPath, knownCapacity } from "../calibrate/calibration-file.js";

const CLOCK_SOURCE = "/sys/devices/system/clocksource/clocksource0/current_clocksource";
const NUMA_BALANCING = "/proc/sys/kernel/numa_balancing";
/** The compute device of AMD GPUs: where it is, this host may be the server's. */
const GPU_DEVICE = "/dev/kfd";

/** Reads what this host says of itself; nothing is changed and nothing measured. */
export function lookAtHost(env: Readonly<Record<string, string | undefined>>): HostFacts {
  const { capacity, note } = knownCapacity(calibrationPath(env));
  const limit = hardDescriptorLimit();
  const ports = localPortRange();
  return {
    descriptorLimit: limit === 0 ? null : limit,
    localPorts: ports === 0 ? null : ports,
    nodeVersion: process.versions.node,
    cpus: availableParallelism(),
    cpuQuota: readCgroup().cpuQuota(),
    clockSource: readLine(CLOCK_SOURCE),
    calibration:
      capacity !== undefined
        ? { kind: "known", text: capacityText(capacity) }
        : note === null
          ? { kind: "none" }
          : { kind: "passed-over", why: note },
  };
}

/** Settings of the kernel that rules ask for; undefined where this host has no GPUs of its own. */
export function gpuHostSettings(): ReadonlyMap<string, string> | undefined {
  if (!existsSync(GPU_DEVICE)) return undefined;
  const balancing = readLine(NUMA_BALANCING);
  return balancing === null ? new Map() : new Map([["kernel.numa_balancing", balancing]]);
}

function capacityText({ undici, raw }: Capacity): string {
  const sayOne = ({ eventsPerS, isAtLeast }: Capacity["raw"]) =>
    `${isAtLeast ? "at least " : ""}${formatCount(eventsPerS)}`;
  return `one agent process carries ${sayOne(undici)} events/s with undici, ${sayOne(raw)} raw`;
}

function readLine(file: string): string | null {
  try {
    return readFileSync(file, "utf8").trim();
  } catch {
    return null;
  }
}
