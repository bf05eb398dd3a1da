import type { HostCheck } from "./diagnose.js";
import { CHECK_LIMITS } from "./host-limits.js";

/** What could be read of this host; null where it does not say. */
export interface HostFacts {
  /** Hard limit of open files. */
  readonly descriptorLimit: number | null;
  readonly localPorts: number | null;
  /** `20.18.1`. */
  readonly nodeVersion: string;
  /** CPUs that this process may use. */
  readonly cpus: number;
  /** CPUs that the control group allows; null for no quota. */
  readonly cpuQuota: number | null;
  /** Of the kernel: `tsc`, `kvm-clock`, `hpet`. */
  readonly clockSource: string | null;
  readonly calibration:
    | { readonly kind: "known"; readonly text: string }
    | { readonly kind: "none" }
    | { readonly kind: "passed-over"; readonly why: string };
}

/** Reading these costs a system call and a slow device, at every stamp. */
const SLOW_CLOCKS = new Set(["hpet", "acpi_pm", "jiffies", "refined-jiffies"]);

/** Judges this host as one that sends `inFlight` requests at once from one process. */
export function judgeHost(facts: HostFacts, inFlight: number): HostCheck[] {
  const where = "this host";
  const check = (id: string, outcome: HostCheck["outcome"], sentence: string): HostCheck => ({
    id,
    where,
    outcome,
    sentence,
  });
  return [
    nodeCheck(facts.nodeVersion, check),
    descriptorCheck(facts.descriptorLimit, inFlight, check),
    portCheck(facts.localPorts, inFlight, check),
    cpuCheck(facts, check),
    clockCheck(facts.clockSource, check),
    calibrationCheck(facts.calibration, check),
  ];
}

type Check = (id: string, outcome: HostCheck["outcome"], sentence: string) => HostCheck;

function nodeCheck(version: string, check: Check): HostCheck {
  const isEnough = isVersionAtLeast(version, CHECK_LIMITS.leastNode);
  const least = CHECK_LIMITS.leastNode.join(".");
  return isEnough
    ? check("node", "fine", `Node.js ${version}; ${least} or newer is needed`)
    : check("node", "error", `Node.js ${version} is too old: ${least} or newer is needed`);
}

/** By the numbers that are given; what is no version is not enough. */
export function isVersionAtLeast(version: string, least: readonly number[]): boolean {
  const parts = version.replace(/^v/, "").split(/[.-]/).map(Number);
  for (const [i, part] of least.entries()) {
    const own = parts[i] ?? 0;
    if (own !== part) return own > part;
  }
  return true;
}

export function descriptorCheck(limit: number | null, inFlight: number, check: Check): HostCheck {
  const needed = inFlight + CHECK_LIMITS.otherDescriptors;
  const what = `one process with ${inFlight} requests in flight needs ${needed}`;
  if (limit === null || limit === 0)
    return check("descriptors", "unknown", "how many files may be open is not said");
  if (limit < needed)
    return check("descriptors", "error", `${limit} files may be open, and ${what}: raise ulimit -Hn`);
  if (needed > limit * CHECK_LIMITS.yellowShare)
    return check(
      "descriptors",
      "warning",
      `${limit} files may be open, and ${what}: its intervals would be yellow`,
    );
  return check("descriptors", "fine", `${limit} files may be open; ${what}`);
}

function portCheck(ports: number | null, inFlight: number, check: Check): HostCheck {
  if (ports === null || ports === 0)
    return check("local-ports", "unknown", "how many local ports there are is not said");
  const what = `${inFlight} requests in flight to one address and port need as many`;
  const how = 'sysctl -w net.ipv4.ip_local_port_range="1024 65535", or several target.urls';
  if (ports < inFlight) return check("local-ports", "error", `${ports} local ports, and ${what}: ${how}`);
  if (inFlight > ports * CHECK_LIMITS.yellowShare)
    return check("local-ports", "warning", `${ports} local ports, and ${what}: ${how}`);
  return check("local-ports", "fine", `${ports} local ports; ${what}`);
}

function cpuCheck({ cpus, cpuQuota }: HostFacts, check: Check): HostCheck {
  if (cpuQuota !== null && cpuQuota < 1)
    return check(
      "cpu",
      "warning",
      `the control group allows ${cpuQuota} of a CPU: it will stop an agent in mid-interval; give it one or more`,
    );
  if (cpuQuota !== null && !Number.isInteger(cpuQuota))
    return check(
      "cpu",
      "warning",
      `the control group allows ${cpuQuota} CPUs: use a whole number, or a cpuset`,
    );
  const quota = cpuQuota === null ? "no quota" : `a quota of ${cpuQuota}`;
  return check("cpu", "fine", `${cpus} ${cpus === 1 ? "CPU" : "CPUs"}, ${quota}`);
}

function clockCheck(source: string | null, check: Check): HostCheck {
  if (source === null)
    return check("clock-source", "unknown", "the kernel does not say by what it keeps time");
  if (SLOW_CLOCKS.has(source))
    return check(
      "clock-source",
      "warning",
      `the kernel keeps time by ${source}, which is slow to read: every stamp costs a system call`,
    );
  return check("clock-source", "fine", `the kernel keeps time by ${source}`);
}

function calibrationCheck(calibration: HostFacts["calibration"], check: Check): HostCheck {
  switch (calibration.kind) {
    case "known":
      return check("calibration", "fine", calibration.text);
    case "none":
      return check(
        "calibration",
        "warning",
        "it is not known how many events/s one agent process carries here: tokenstorm calibrate finds out",
      );
    case "passed-over":
      return check("calibration", "warning", calibration.why);
  }
}

/** What is known of an agent by its heartbeat. */
export interface AgentFacts {
  readonly agent: string;
  readonly host: string;
  readonly version: string;
  /** Null where it is not known. */
  readonly clockErrorUs: number | null;
  readonly descriptorLimit: number | null;
  readonly localPorts: number | null;
  readonly isCalibrated: boolean;
}

/** Judges the agents of a cluster, each as one of them all that share `inFlight` requests. */
export function judgeAgents(
  agents: readonly AgentFacts[],
  options: { readonly version: string; readonly inFlight: number },
): HostCheck[] {
  const share = agents.length === 0 ? 0 : Math.ceil(options.inFlight / agents.length);
  return agents.flatMap((agent) => {
    const check: Check = (id, outcome, sentence) => ({ id, where: agent.agent, outcome, sentence });
    return [
      agent.version === options.version
        ? check("version", "fine", `version ${agent.version}, as here`)
        : check(
            "version",
            "error",
            `version ${agent.version}, and here it is ${options.version}: a run would be refused`,
          ),
      clockErrorCheck(agent.clockErrorUs, check),
      descriptorCheck(agent.descriptorLimit, share, check),
      ...(agent.localPorts === null ? [] : [portCheck(agent.localPorts, share, check)]),
      agent.isCalibrated
        ? check("calibration", "fine", `${agent.host} is calibrated`)
        : check("calibration", "warning", `${agent.host} is not calibrated: run tokenstorm calibrate there`),
    ];
  });
}

function clockErrorCheck(errorUs: number | null, check: Check): HostCheck {
  if (errorUs === null) return check("clock", "unknown", "its clock could not be compared");
  const ms = (errorUs / 1000).toFixed(2);
  if (errorUs > CHECK_LIMITS.clockErrorUs)
    return check(
      "clock",
      "warning",
      `its clock is known to ${ms} ms only: its start may be off by that much`,
    );
  return check("clock", "fine", `its clock is known to ${ms} ms`);
}
