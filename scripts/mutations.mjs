// Applies each hand-made fault of test/mutations to a copy of the checkout, sees the test that it names fail, and takes it
// back: node scripts/mutations.mjs [--sim] [NAME ...]. A fault that no test sees is a failure. About ten seconds for each.
// --sim: those that must show in whole clusters, each with the first simulated seed that found it.
//
// A patch begins with lines of its own: `# fault:` what is wrong; `# test:` the compiled test file and `# fails:` the beginning
// of the name of a test that must fail there (* where the whole file must end); `# seeds:` within how many seeds of
// scripts/sim.mjs it is found. It has the two in the middle, the last one, or all.
import { execFileSync, spawnSync } from "node:child_process";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const root = fileURLToPath(new URL("..", import.meta.url));
const folder = join(root, "test/mutations");
const TEST_LIMIT_MS = 120_000;
/** For one seed, with the host busy. */
const SEED_LIMIT_MS = 5000;

function readPatch(file) {
  const path = join(folder, file);
  const text = readFileSync(path, "utf8");
  const field = (name) => new RegExp(`^# ${name}: (.*)$`, "m").exec(text)?.[1];
  const [fault, test, fails, seeds] = ["fault", "test", "fails", "seeds"].map(field);
  if (fault === undefined || (test === undefined) !== (fails === undefined) || (test ?? seeds) === undefined)
    throw new Error(`${file} does not say its fault, and its test with what fails there, or its seeds`);
  return { name: file.replace(/\.patch$/, ""), text, fault, test, fails, seeds };
}

/** The last commit, with the checkout's packages: the workspace's own are the copy's. */
function copyOfCheckout() {
  const copy = mkdtempSync(join(tmpdir(), "tokenstorm-mutations-"));
  execFileSync("git", ["clone", "--quiet", root, copy], { stdio: ["ignore", "ignore", "inherit"] });
  const modules = join(copy, "node_modules");
  mkdirSync(join(modules, "@tokenstorm"), { recursive: true });
  for (const name of readdirSync(join(root, "node_modules"))) {
    if (name !== "@tokenstorm") symlinkSync(join(root, "node_modules", name), join(modules, name));
  }
  for (const name of readdirSync(join(copy, "packages"))) {
    if (name !== "cli") symlinkSync(join(copy, "packages", name), join(modules, "@tokenstorm", name));
  }
  return copy;
}

/** A fault may leave something unused: that is the linter's business, and no reason not to try it. */
function tolerateUnused(copy) {
  const file = join(copy, "tsconfig.base.json");
  writeFileSync(file, readFileSync(file, "utf8").replace(/("noUnused\w+": )true/g, "$1false"));
}

function build(copy) {
  const tsc = join(root, "node_modules/typescript/bin/tsc");
  return spawnSync(process.execPath, [tsc, "-b"], { cwd: copy, encoding: "utf8" });
}

/** What saw the fault, and what did not see it. */
function tryFault(copy, patch) {
  execFileSync("git", ["apply", "--whitespace=nowarn", "-"], { cwd: copy, input: patch.text });
  try {
    // A fault that does not compile shows nothing of the tests.
    const built = build(copy);
    if (built.status !== 0) return { why: `it does not compile: ${built.stdout.split("\n")[0]}` };
    return isSim ? trySeeds(copy, patch) : tryTest(copy, patch);
  } finally {
    execFileSync("git", ["apply", "--reverse", "-"], { cwd: copy, input: patch.text });
  }
}

function tryTest(copy, { test, fails }) {
  const args = ["--test", "--test-reporter=tap", test];
  const ran = spawnSync(process.execPath, args, { cwd: copy, encoding: "utf8", timeout: TEST_LIMIT_MS });
  if (fails === "*") return ran.status === 0 ? { why: "its test file passed" } : { seen: "" };
  // What hangs has failed too: it was ended here.
  if (ran.signal !== null) return { seen: "" };
  const failed = [...ran.stdout.matchAll(/^\s*not ok \d+ - (.*)$/gm)].map(([, name]) => name);
  if (failed.some((name) => name.startsWith(fails))) return { seen: "" };
  return { why: failed.length === 0 ? "no test failed" : `another test failed: ${failed[0]}` };
}

function trySeeds(copy, { seeds }) {
  const args = ["scripts/sim.mjs", "--seeds", seeds];
  const ran = spawnSync(process.execPath, args, {
    cwd: copy,
    encoding: "utf8",
    timeout: Number(seeds) * SEED_LIMIT_MS,
    maxBuffer: 2 ** 28,
  });
  const found = /^seed \d+ fails: .*$/m.exec(ran.stderr)?.[0];
  if (found !== undefined) return { seen: found };
  return {
    why: ran.status === 0 ? `${seeds} seeds passed` : `the simulation ended: ${ran.stderr.slice(0, 300)}`,
  };
}

const { values, positionals: wanted } = parseArgs({
  allowPositionals: true,
  options: { sim: { type: "boolean", default: false } },
});
const isSim = values.sim;
const patches = readdirSync(folder)
  .filter((file) => file.endsWith(".patch"))
  .map(readPatch)
  .filter(({ seeds, test }) => (isSim ? seeds : test) !== undefined)
  .filter(({ name }) => wanted.length === 0 || wanted.includes(name));
if (patches.length === 0) throw new Error("there is no such fault in test/mutations");
const copy = copyOfCheckout();
let unseen = 0;
try {
  tolerateUnused(copy);
  const built = build(copy);
  if (built.status !== 0) throw new Error(`the checkout does not build: ${built.stdout}`);
  // A seed that fails without any fault would seem to find each.
  if (isSim) {
    const { seen } = trySeeds(copy, {
      seeds: String(Math.max(...patches.map(({ seeds }) => Number(seeds)))),
    });
    if (seen !== undefined) throw new Error(`without a fault: ${seen}`);
  }
  for (const patch of patches) {
    const { seen, why } = tryFault(copy, patch);
    const what = seen === undefined ? `: ${why}` : seen === "" ? "" : `: ${seen}`;
    console.log(`${seen === undefined ? "UNSEEN" : "seen  "} ${patch.name}${what}`);
    if (seen === undefined) unseen += 1;
  }
} finally {
  rmSync(copy, { recursive: true, force: true });
}
console.log(`${patches.length - unseen} of ${patches.length} faults were seen`);
process.exitCode = unseen === 0 ? 0 : 1;
