// Applies each hand-made fault of test/mutations to a copy of the checkout, sees the test that it names fail, and takes it
// back: node scripts/mutations.mjs [NAME ...]. A fault that no test sees is a failure. About ten seconds for each.
//
// A patch begins with three lines: `# fault:` what is wrong, `# test:` the compiled test file, `# fails:` the beginning of the
// name of a test that must fail there (* where the whole file must end).
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

const root = fileURLToPath(new URL("..", import.meta.url));
const folder = join(root, "test/mutations");
const TEST_LIMIT_MS = 120_000;

function readPatch(file) {
  const path = join(folder, file);
  const field = (name) => new RegExp(`^# ${name}: (.*)$`, "m").exec(readFileSync(path, "utf8"))?.[1];
  const [fault, test, fails] = ["fault", "test", "fails"].map(field);
  if (fault === undefined || test === undefined || fails === undefined)
    throw new Error(`${file} does not say its fault, its test and what fails there`);
  return { name: file.replace(/\.patch$/, ""), path, fault, test, fails };
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

/** Undefined where the fault was seen; else why it was not. */
function tryFault(copy, { path, test, fails }) {
  execFileSync("git", ["apply", "--whitespace=nowarn", path], { cwd: copy });
  try {
    // A fault that does not compile shows nothing of the tests.
    const built = build(copy);
    if (built.status !== 0) return `it does not compile: ${built.stdout.split("\n")[0]}`;
    const args = ["--test", "--test-reporter=tap", test];
    const ran = spawnSync(process.execPath, args, { cwd: copy, encoding: "utf8", timeout: TEST_LIMIT_MS });
    if (fails === "*") return ran.status === 0 ? "its test file passed" : undefined;
    // What hangs has failed too: it was ended here.
    if (ran.signal !== null) return undefined;
    const failed = [...ran.stdout.matchAll(/^\s*not ok \d+ - (.*)$/gm)].map(([, name]) => name);
    if (failed.some((name) => name.startsWith(fails))) return undefined;
    return failed.length === 0 ? "no test failed" : `another test failed: ${failed[0]}`;
  } finally {
    execFileSync("git", ["apply", "--reverse", path], { cwd: copy });
  }
}

const wanted = process.argv.slice(2);
const patches = readdirSync(folder)
  .filter((file) => file.endsWith(".patch"))
  .map(readPatch)
  .filter(({ name }) => wanted.length === 0 || wanted.includes(name));
if (patches.length === 0) throw new Error("there is no such fault in test/mutations");
const copy = copyOfCheckout();
let unseen = 0;
try {
  tolerateUnused(copy);
  const built = build(copy);
  if (built.status !== 0) throw new Error(`the checkout does not build: ${built.stdout}`);
  for (const patch of patches) {
    const why = tryFault(copy, patch);
    console.log(
      `${why === undefined ? "seen  " : "UNSEEN"} ${patch.name}${why === undefined ? "" : `: ${why}`}`,
    );
    if (why !== undefined) unseen += 1;
  }
} finally {
  rmSync(copy, { recursive: true, force: true });
}
console.log(`${patches.length - unseen} of ${patches.length} faults were seen`);
process.exitCode = unseen === 0 ? 0 : 1;
