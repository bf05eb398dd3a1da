import {
  CHECK_LIMITS,
  CONFORMANCE_CHECKS,
  type ConformanceReport,
  countFindings,
  type DoctorReport,
  diagnoseDeployment,
  type HostFacts,
  judgeAgents,
  judgeHost,
  parseServeLine,
  type SeenServer,
  type StatedDeployment,
} from "@tokenstorm/core";

/** What doctor finds, for the stored screens; servers, hosts and agents are made up. */

function line(text: string): StatedDeployment {
  const parsed = parseServeLine([text]);
  if (parsed.kind === "problem") throw new Error(parsed.message);
  return parsed.deployment;
}

const HOST: HostFacts = {
  descriptorLimit: 65_536,
  localPorts: 28_232,
  nodeVersion: "24.1.0",
  cpus: 8,
  cpuQuota: null,
  clockSource: "tsc",
  calibration: {
    kind: "known",
    text: "one agent process carries 30,000 events/s with undici, at least 60,000 raw",
  },
};

const SERVER: SeenServer = {
  url: "http://gpu-3:8000",
  models: [{ id: "deepseek-ai/DeepSeek-V3.2", maxModelLen: 163_840 }],
  version: "0.14.1+rocm641",
  cacheConfig: { block_size: "16", cache_dtype: "auto" },
};

const report = (
  part: Pick<DoctorReport, "deployments" | "host"> & { notes?: readonly string[] },
): DoctorReport => ({
  schemaVersion: 1,
  deployments: part.deployments,
  host: part.host,
  targetNotes: part.notes ?? [],
  counts: countFindings(part),
  limits: CHECK_LIMITS,
});

export const wrongDoctor: DoctorReport = report({
  deployments: [
    diagnoseDeployment("http://gpu-3:8000 and the command line", {
      stated: line(
        "VLLM_ROCM_USE_AITER=1 vllm serve deepseek-ai/DeepSeek-V3.2 -tp 8 --block-size 1 --kv-offloading-size 64 --storm-mode on",
      ),
      seen: SERVER,
    }),
  ],
  host: [
    ...judgeHost(
      { ...HOST, descriptorLimit: 1024, cpuQuota: 0.5, clockSource: "hpet", calibration: { kind: "none" } },
      1000,
    ),
    ...judgeAgents(
      [
        {
          agent: "a1",
          host: "h1",
          version: "0.0.9",
          clockErrorUs: 120,
          descriptorLimit: 65_536,
          localPorts: 28_232,
          isCalibrated: true,
        },
        {
          agent: "a2",
          host: "h2",
          version: "0.1.0",
          clockErrorUs: null,
          descriptorLimit: null,
          localPorts: null,
          isCalibrated: false,
        },
      ],
      { version: "0.1.0", inFlight: 1000 },
    ),
  ],
  notes: ["/load tells nothing: status 404"],
});

export const fineDoctor: DoctorReport = report({
  deployments: [
    diagnoseDeployment("the command line", {
      stated: {
        ...line("vllm serve meta-llama/Llama-3.1-405B-Instruct -tp 8 --max-model-len 32768"),
        engineVersion: "0.14.1",
        platform: "rocm",
        gpus: 8,
        host: new Map([["kernel.numa_balancing", "0"]]),
      },
    }),
  ],
  host: judgeHost(HOST, 1000),
});

function conformance(
  failing: Readonly<Record<string, string>>,
  skipped: Readonly<Record<string, string>>,
): ConformanceReport {
  const checks = CONFORMANCE_CHECKS.map((check) => {
    const failed = failing[check.id];
    const why = skipped[check.id];
    if (failed !== undefined)
      return { ...check, outcome: "failed" as const, seen: failed, evidence: `bytes/${check.id}.answer` };
    if (why !== undefined) return { ...check, outcome: "skipped" as const, seen: why, evidence: null };
    return { ...check, outcome: "passed" as const, seen: "as expected", evidence: null };
  });
  const count = (outcome: string) => checks.filter((check) => check.outcome === outcome).length;
  return {
    schemaVersion: 1,
    url: "http://gpu-3:8000",
    model: "meta-llama/Llama-3.1-405B-Instruct",
    serverVersion: "0.14.1",
    checks,
    counts: { passed: count("passed"), failed: count("failed"), skipped: count("skipped") },
  };
}

export const goodConformance: ConformanceReport = conformance(
  {},
  { "errors.no-key": "no key was named (--api-key-env)" },
);

export const badConformance: ConformanceReport = conformance(
  {
    "chat-stream.done": "[DONE] comes 2 times",
    "completions-stream.done": "[DONE] comes 2 times",
    "metrics.exact":
      "generation_tokens_total grew by 68, and the answers have 64 (or somebody else used the server)",
  },
  {
    "errors.no-key": "no key was named (--api-key-env)",
    "tokens.utf8": "the answer had no character of several bytes: lorem ipsum",
  },
);
