// Runs the compiled tests: node scripts/run-tests.mjs [unit|contract|integration|...] [--name PATTERN]
// Every test runs when no part is named. The last line counts passed, failed and skipped.
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { writeBatches } from "./test-batches.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));

/**
 * Part -> folder of compiled tests, and how many files run side by side. `batched`: several files in one process.
 * `first`: what takes longest, so that nothing of it is left when all the rest is done.
 * `beside`: runs at the same time as that part, where both are wanted; then it says what it has to say at its end.
 * `command`: its tests start the command as the single file that goes to other hosts, which begins in half the CPU time.
 */
const PARTS = {
  unit: {
    folders: readdirSync(join(root, "packages")).map((name) => `packages/${name}/dist`),
    concurrency: 2,
    batched: true,
  },
  architecture: { folders: ["test/dist/architecture"], concurrency: 1 },
  contract: { folders: ["test/dist/contract"], concurrency: 1, beside: "integration" },
  sim: { folders: ["test/dist/sim"], concurrency: 2 },
  // The reference study in virtual time: what it must find, row by row.
  study: { folders: ["test/dist/study"], concurrency: 2 },
  // The wire contract on the simulator, and with the wire spoilt in every way.
  conformance: { folders: ["test/dist/conformance"], concurrency: 1 },
  // They wait most of their time, for processes and for time to pass, and judge no speed.
  integration: {
    folders: ["test/dist/integration"],
    concurrency: 3,
    command: true,
    first: ["determinism", "study", "secrets", "bad-inputs"],
  },
  // Real processes, killed, stopped and cut off; scripts/chaos.mjs has more of it than CI.
  // Each file has cases side by side, too; the short files fill the time of the longest one.
  chaos: {
    folders: ["test/dist/chaos"],
    concurrency: 2,
    command: true,
    first: ["kill-matrix", "network"],
  },
  // What is held against the time of this machine, each with the machine to itself.
  timed: { folders: ["test/dist/timed"], concurrency: 1, command: true },
  browser: { folders: ["test/dist/browser"], concurrency: 1, command: true },
  containers: { folders: ["test/dist/containers"], concurrency: 1 },
  hosts: { folders: ["test/dist/hosts"], concurrency: 1 },
};

function testFiles(folder) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true })
    .filter((name) => name.endsWith(".test.js"))
    .map((name) => join(folder, name))
    .sort();
}

/** The runner sorts files by their paths: each gets one by which those of `first` come before the others. */
function longestFirst(files, { first, scratch }) {
  if (first.length === 0) return files;
  const nameOf = (file) => basename(file, ".test.js");
  const long = files.filter((file) => first.includes(nameOf(file)));
  const inOrder = [...long, ...files.filter((file) => !long.includes(file))];
  const groups = inOrder.map((file, i) => ({ name: `${100 + i}-${nameOf(file)}`, files: [file] }));
  return writeBatches(groups, scratch);
}

function nothingCounted() {
  return { passed: 0, failed: 0, skipped: 0, skips: [], failures: [] };
}

/** Made anew for each part: it is never older than what was built. */
function singleFile(folder) {
  const file = join(folder, "tokenstorm.mjs");
  const made = spawnSync(process.execPath, [join(root, "scripts/bundle.mjs"), file], { encoding: "utf8" });
  if (made.status !== 0) throw new Error(`the single file could not be made: ${made.stderr}`);
  return file;
}

function removeTestContainers() {
  spawnSync(join(root, "scripts/remove-test-containers.sh"), { stdio: ["ignore", "inherit", "inherit"] });
}

async function runPart(part, extra, node, isQuiet) {
  const { folders, concurrency, batched = false, first = [], command = false } = PARTS[part];
  const groups = folders.map((folder) => ({
    name: folder.replace(/\/dist$/, ""),
    files: testFiles(join(root, folder)),
  }));
  if (groups.every(({ files }) => files.length === 0)) return nothingCounted();
  const scratch = mkdtempSync(join(tmpdir(), "tokenstorm-tests-"));
  const files = batched
    ? writeBatches(groups, scratch)
    : longestFirst(
        groups.flatMap((group) => group.files),
        { first, scratch },
      );
  const countFile = join(scratch, "counts.json");
  const args = [
    "--enable-source-maps",
    "--test",
    `--test-concurrency=${concurrency}`,
    "--test-reporter=spec",
    "--test-reporter-destination=stdout",
    `--test-reporter=${join(root, "scripts/count-reporter.mjs")}`,
    `--test-reporter-destination=${countFile}`,
    ...extra,
    ...files.map((file) => relative(root, file)),
  ];
  const output = isQuiet ? "pipe" : "inherit";
  const env = command ? { ...process.env, TOKENSTORM_TEST_COMMAND: singleFile(scratch) } : process.env;
  const child = spawn(node, args, { cwd: root, env, stdio: ["ignore", output, output] });
  const said = [];
  for (const stream of [child.stdout, child.stderr]) stream?.on("data", (chunk) => said.push(chunk));
  const status = await new Promise((resolve) => child.on("close", resolve));
  const counts = existsSync(countFile) ? JSON.parse(readFileSync(countFile, "utf8") || "{}") : {};
  rmSync(scratch, { recursive: true, force: true });
  process.stdout.write(Buffer.concat(said));
  const result = { ...nothingCounted(), ...counts };
  // A file that dies before it can report its tests is a failure all the same.
  if (status !== 0 && result.failed === 0) {
    result.failed = 1;
    result.failures.push(`the runner ended with status ${status} and named no failed test`);
  }
  return result;
}

const words = process.argv.slice(2);
const nameAt = words.indexOf("--name");
const extra = nameAt < 0 ? [] : [`--test-name-pattern=${words[nameAt + 1]}`];
const named = words.filter((word) => word in PARTS);
const parts = named.length > 0 ? named : Object.keys(PARTS);
const total = nothingCounted();

async function carryOut(part, isQuiet) {
  const started = Date.now();
  if (!isQuiet) console.log(`\n== ${part} tests`);
  // Before, for what killed tests have left; after, for what these have.
  if (part === "containers") removeTestContainers();
  const result = await runPart(part, extra, process.execPath, isQuiet);
  if (part === "containers") removeTestContainers();
  const where = isQuiet ? `, beside the ${PARTS[part].beside} tests` : "";
  console.log(`== ${part} tests took ${Math.round((Date.now() - started) / 1000)} s${where}`);
  for (const key of ["passed", "failed", "skipped"]) total[key] += result[key];
  total.skips.push(...result.skips);
  total.failures.push(...result.failures.map((failure) => `${part}: ${failure}`));
}

for (const part of parts) {
  const host = PARTS[part].beside;
  if (host !== undefined && parts.includes(host)) continue;
  const companions = parts.filter((other) => PARTS[other].beside === part);
  await Promise.all([carryOut(part, false), ...companions.map((other) => carryOut(other, true))]);
}
for (const skip of total.skips) console.log(`SKIPPED: ${skip}`);
for (const failure of total.failures) console.log(`FAILED: ${failure}`);
console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
process.exitCode = total.failed > 0 || total.passed === 0 ? 1 : 0;
