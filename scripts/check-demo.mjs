// Checks what the quick demo promises of itself: node scripts/check-demo.mjs REPORT.json
import { readFileSync } from "node:fs";

const report = JSON.parse(readFileSync(process.argv[2], "utf8"));
const level = report.stages.at(-1);
const { completeness } = report;
const checks = [
  ["transport is nats", report.run.transport, report.run.transport === "nats"],
  ["four agents", report.agents.length, report.agents.length === 4],
  [
    "mean in-flight >= 990 at 1,000 users",
    level.inFlight.mean,
    level.users === 1000 && level.inFlight.mean >= 990,
  ],
  ["every user completed >= 2", level.completedPerUserMin, level.completedPerUserMin >= 2],
  ["token events/s >= 8,000", level.rates.eventsPerS, level.rates.eventsPerS >= 8000],
  ["no failures", report.totals.requests.failed, report.totals.requests.failed === 0],
  ["E2E p50 >= 3 s", level.latencyUs.e2e.p50, level.latencyUs.e2e.p50 >= 3_000_000],
  [
    "intervals complete",
    `${completeness.intervalsReceived} of ${completeness.intervalsExpected}`,
    completeness.intervalsExpected > 0 && completeness.intervalsReceived === completeness.intervalsExpected,
  ],
  [
    "samples complete",
    `${completeness.samplesMerged} of ${completeness.samplesRecorded}`,
    completeness.samplesRecorded > 0 && completeness.samplesMerged === completeness.samplesRecorded,
  ],
  [
    "server's tokens and successes are exactly ours",
    JSON.stringify(report.totals.server),
    report.totals.server.exact &&
      report.totals.server.output === report.totals.tokens.output &&
      report.totals.server.prompt === report.totals.tokens.prompt &&
      report.totals.server.successes === report.totals.requests.completed,
  ],
  [
    "verdict valid",
    `${report.verdict.status} ${report.verdict.reasons.join("; ")}`,
    report.verdict.status === "valid",
  ],
];
for (const [name, value, holds] of checks) console.log(`${holds ? "ok  " : "FAIL"} ${name}: ${value}`);
const failed = checks.filter(([, , holds]) => !holds).map(([name]) => name);
// 3: every figure is right, and the run says itself that this machine did not give its client the CPU.
process.exitCode = failed.length === 0 ? 0 : failed.length === 1 && failed[0] === "verdict valid" ? 3 : 1;
