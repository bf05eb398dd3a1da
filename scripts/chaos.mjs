// Every case of test/chaos with more load: node scripts/chaos.mjs [--users 1000] [--seconds 10] [--repeats 3] [--side-by-side 2]
//   [--only "kill matrix"] [--limit-minutes 120] [--small]
// --small: as CI has it, 8 users for 4 s, but every case. --repeats: rounds of all files, each with the next seed.
// Build first: npx tsc -b.
import { spawn } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const { values } = parseArgs({
  options: {
    users: { type: "string", default: "1000" },
    seconds: { type: "string", default: "10" },
    repeats: { type: "string", default: "1" },
    "side-by-side": { type: "string", default: "2" },
    only: { type: "string" },
    seed: { type: "string", default: "1" },
    "limit-minutes": { type: "string", default: "180" },
    small: { type: "boolean", default: false },
  },
});
const root = fileURLToPath(new URL("..", import.meta.url));
const folder = join(root, "test/dist/chaos");
const files = readdirSync(folder).filter((name) => name.endsWith(".test.js"));
const load = values.small
  ? {}
  : { CHAOS_USERS: values.users, CHAOS_MEASURED_MS: String(Number(values.seconds) * 1000) };
const env = {
  ...process.env,
  ...load,
  REQUIRE_NATS: "1",
  CHAOS_WHOLE: "1",
  CHAOS_CONCURRENCY: values["side-by-side"],
};
const only = values.only === undefined ? [] : [`--test-name-pattern=${values.only}`];
const args = [
  ...["--enable-source-maps", "--test", "--test-concurrency=1", "--test-reporter=spec", ...only],
  ...files.map((name) => join(folder, name)),
];
const untilMs = performance.now() + Number(values["limit-minutes"]) * 60_000;

/** Every file once. Each case has a limit of its own; `limit-minutes` is for all rounds together. */
async function round(seed) {
  const ownEnv = { ...env, CHAOS_SEED: String(seed) };
  const child = spawn(process.execPath, args, { cwd: root, env: ownEnv, stdio: "inherit" });
  // The tests end what they have started.
  const limit = setTimeout(() => child.kill("SIGTERM"), untilMs - performance.now());
  const [code, signal] = await new Promise((resolve) => child.on("close", (...end) => resolve(end)));
  clearTimeout(limit);
  return signal === null && code === 0;
}

const rounds = Number(values.repeats);
let [done, failed] = [0, 0];
while (done < rounds && performance.now() < untilMs) {
  const beganMs = performance.now();
  const seed = Number(values.seed) + done;
  const hasPassed = await round(seed);
  done += 1;
  if (!hasPassed) failed += 1;
  const tookS = Math.round((performance.now() - beganMs) / 1000);
  console.log(
    `== round ${done} of ${rounds}: ${hasPassed ? "passed" : "FAILED"} after ${tookS} s, seed ${seed}`,
  );
}
const isCut = performance.now() >= untilMs;
if (isCut) console.error(`not over within ${values["limit-minutes"]} minutes`);
console.log(`${done} rounds, ${failed} failed`);
process.exitCode = failed > 0 || isCut ? 1 : 0;
