import assert from "node:assert/strict";
import { test } from "node:test";
import { type AgentFacts, type HostFacts, judgeAgents, judgeHost } from "./judge-host.js";

const GOOD: HostFacts = {
  descriptorLimit: 65_536,
  localPorts: 28_232,
  nodeVersion: "24.1.0",
  cpus: 8,
  cpuQuota: null,
  clockSource: "tsc",
  calibration: { kind: "known", text: "one agent process carries 30,000 events/s" },
};

const notFine = (facts: Partial<HostFacts>, inFlight = 1000): string[] =>
  judgeHost({ ...GOOD, ...facts }, inFlight)
    .filter(({ outcome }) => outcome !== "fine")
    .map(({ id, outcome }) => `${outcome} ${id}`);

test("a host that is fit has nothing to be said against it", () => {
  assert.deepEqual(notFine({}), []);
});

test("each thing that a host lacks is named, and nothing else", () => {
  const cases: readonly (readonly [Partial<HostFacts>, number, string])[] = [
    [{ nodeVersion: "20.17.0" }, 1000, "error node"],
    [{ nodeVersion: "18.20.1" }, 1000, "error node"],
    [{ descriptorLimit: 1024 }, 1000, "error descriptors"],
    [{ descriptorLimit: 1200 }, 1000, "warning descriptors"],
    [{ descriptorLimit: null }, 1000, "unknown descriptors"],
    [{}, 30_000, "error local-ports"],
    [{}, 25_000, "warning local-ports"],
    [{ localPorts: null }, 1000, "unknown local-ports"],
    [{ cpuQuota: 0.5 }, 1000, "warning cpu"],
    [{ cpuQuota: 1.5 }, 1000, "warning cpu"],
    [{ clockSource: "hpet" }, 1000, "warning clock-source"],
    [{ clockSource: null }, 1000, "unknown clock-source"],
    [{ calibration: { kind: "none" } }, 1000, "warning calibration"],
    [{ calibration: { kind: "passed-over", why: "of another CPU" } }, 1000, "warning calibration"],
  ];
  for (const [facts, inFlight, finding] of cases) assert.deepEqual(notFine(facts, inFlight), [finding]);
  assert.deepEqual(notFine({ nodeVersion: "20.18.0", cpuQuota: 2 }), []);
});

test("agents are judged by their share of what is to be in flight", () => {
  const agent: AgentFacts = {
    agent: "a1",
    host: "h1",
    version: "0.1.0",
    clockErrorUs: 120,
    descriptorLimit: 1024,
    localPorts: 28_232,
    isCalibrated: true,
  };
  const findings = (change: Partial<AgentFacts>, count: number) =>
    judgeAgents(
      Array.from({ length: count }, () => ({ ...agent, ...change })),
      { version: "0.1.0", inFlight: 1000 },
    )
      .filter(({ outcome }) => outcome !== "fine")
      .map(({ id, outcome }) => `${outcome} ${id}`);
  assert.deepEqual(findings({}, 2), []);
  assert.deepEqual(findings({}, 1), ["error descriptors"]);
  assert.deepEqual(findings({ version: "0.0.9" }, 2), ["error version", "error version"]);
  assert.deepEqual(findings({ clockErrorUs: 9000 }, 2), ["warning clock", "warning clock"]);
  assert.deepEqual(findings({ clockErrorUs: null, isCalibrated: false }, 2), [
    "unknown clock",
    "warning calibration",
    "unknown clock",
    "warning calibration",
  ]);
});
