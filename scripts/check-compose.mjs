// Checks what scripts/compose-demo.sh promises: node scripts/check-compose.mjs REPORT.json
// node scripts/check-compose.mjs --http URL: the coordinator's API answers with TOKENSTORM_HTTP_TOKEN, and not without.
// node scripts/check-compose.mjs --count-agents AGENTS.json prints how many agents a leading coordinator's list has.
import { readFileSync } from "node:fs";

const read = (path) => JSON.parse(readFileSync(path, "utf8"));

function check(report) {
  const level = report.stages.at(-1);
  const { completeness, verdict, totals } = report;
  const checks = [
    ["transport is nats", report.run.transport, report.run.transport === "nats"],
    ["eight agents", report.agents.length, report.agents.length === 8],
    [
      "mean in-flight >= 990 of 1,000 users",
      level.inFlight.mean,
      level.users === 1000 && level.inFlight.mean >= 990,
    ],
    ["requests completed", totals.requests.completed, totals.requests.completed >= 2000],
    ["no failures", totals.requests.failed, totals.requests.failed === 0],
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
  ];
  for (const [name, value, holds] of checks) console.log(`${holds ? "ok  " : "FAIL"} ${name}: ${value}`);
  // Eleven containers on the cores of one machine: whether each gets its CPU in time is the machine's affair.
  console.log(`     verdict: ${verdict.status}${verdict.reasons.map((reason) => `; ${reason}`).join("")}`);
  return checks.every(([, , holds]) => holds);
}

async function checkHttp(url) {
  const ask = async (headers) => (await fetch(`${url}/api/v1/runs`, { headers })).status;
  const token = process.env.TOKENSTORM_HTTP_TOKEN;
  const statuses = [await ask({}), await ask({ authorization: `Bearer ${token}` })];
  const holds = statuses.join() === "401,200";
  console.log(`${holds ? "ok  " : "FAIL"} the HTTP API, without and with its token: ${statuses.join(", ")}`);
  return holds;
}

const [first, second] = process.argv.slice(2);
if (first === "--count-agents") {
  const { coordinator, agents } = read(second);
  console.log(coordinator === null ? 0 : agents.length);
} else if (first === "--http") {
  process.exitCode = (await checkHttp(second)) ? 0 : 1;
} else {
  process.exitCode = check(read(first)) ? 0 : 1;
}
