// Runs the lines that README.md and docs/deploy.md tell people to type: node scripts/check-docs.mjs [--list]
// Needs a build. Before each fenced `sh` block stands how it is tested:
//   <!-- run: NAME -->                     runs here, in order, in a scratch copy, and must exit 0 (or 110, "the client was
//                                          the limit": seconds instead of minutes, on a machine that is busy otherwise)
//   <!-- serve: NAME, until "TEXT" -->     goes on in the background once it has printed TEXT, until all blocks are done
//   <!-- shown: REASON -->                 is not run here, for a reason that a reader may check
// A block without a mark is an error. What stands for the reader's own hosts is replaced as `substitutes` says.
import { execFileSync, spawn } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const FILES = ["README.md", "docs/deploy.md"];
/** What all blocks together should take; said when they do not, which is the machine's doing or a block's. */
const BUDGET_MS = 90_000;
/** What they may take: a machine that is busy with something else takes its time. */
const LIMIT_MS = 240_000;
const RESULT_INVALID = 110;
const SERVE_LIMIT_MS = 60_000;
const END_LIMIT_MS = 10_000;

function blocksOf(file) {
  const lines = readFileSync(join(root, file), "utf8").split("\n");
  const blocks = [];
  for (let i = 0; i < lines.length; i += 1) {
    const fence = /^( *)```sh$/.exec(lines[i]);
    if (fence === null) continue;
    const end = lines.indexOf(`${fence[1]}\`\`\``, i + 1);
    if (end < 0) throw new Error(`${file}:${i + 1}: the block has no end`);
    const text = lines.slice(i + 1, end).map((line) => line.slice(fence[1].length));
    blocks.push({
      place: `${file}:${i + 1}`,
      ...markOf(lines[i - 1] ?? "", `${file}:${i + 1}`),
      script: text.join("\n"),
    });
    i = end;
  }
  return blocks;
}

function markOf(line, place) {
  const [, kind, rest] = /^ *<!-- (run|serve|shown): (.+) -->$/.exec(line) ?? [];
  const [, name, until] = (kind === "serve" ? /^(.+), until "(.+)"$/ : /^(.+)$/).exec(rest ?? "") ?? [];
  if (name === undefined)
    throw new Error(`${place}: no mark before this block says how it is tested; see scripts/check-docs.mjs`);
  return { kind, name, until };
}

/** What a reader would put in is put in here: the simulator for the server, loopback for hosts, seconds for minutes. */
function substitutes(targetUrl, said) {
  return [
    [/http:\/\/your-server:8000/g, targetUrl],
    [/--users 1,10,100 --duration 2m/g, "--users 1,10 --duration 1s"],
    [/--duration 2m/g, "--duration 1s"],
    [/--listen 10\.0\.0\.5\b/g, "--listen 127.0.0.1:0"],
    // A line that `coordinator --listen` prints, with the password and the port that it printed here.
    [/nats:\/\/(\w+):PASSWORD@10\.0\.0\.5:4222/g, (_, user) => printedUrl(user, said)],
    [/\bssh [\w.-]+ '([^']*)'/g, "bash -c '$1'"],
  ];
}

function printedUrl(user, said) {
  const found = new RegExp(`nats://${user}:[^@\\s]+@127\\.0\\.0\\.1:\\d+`).exec(said.join(""));
  if (found === null) throw new Error(`no block before this one has printed an address for the user ${user}`);
  return found[0];
}

/** A clone's folder, without its history: sources and what a build adds are links, what the lines might write is not. */
function scratchCopy() {
  const folder = mkdtempSync(join(tmpdir(), "tokenstorm-docs-"));
  const linked = new Set(["packages", "test", "node_modules", "dist", ".cache", "package-lock.json"]);
  const left = new Set([".git", ".gitignore", "runs"]);
  for (const name of readdirSync(root)) {
    if (left.has(name)) continue;
    if (linked.has(name)) symlinkSync(join(root, name), join(folder, name));
    else cpSync(join(root, name), join(folder, name), { recursive: true });
  }
  return folder;
}

const started = new Set();

/** One block in a bash of its own, which leads a process group: whatever it starts is ended with it. */
function start(script, cwd) {
  const child = spawn("bash", ["-euo", "pipefail", "-c", script], {
    cwd,
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
    // The packages are those of the checkout, by a link: an installation would empty the folder behind it.
    env: { ...process.env, NO_COLOR: "1", NO_INSTALL: "1" },
  });
  const output = [];
  const listeners = new Set();
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (text) => {
      output.push(text);
      for (const listener of listeners) listener();
    });
  const ended = new Promise((resolve) => child.once("close", (code, signal) => resolve(code ?? signal)));
  const one = { child, output, listeners, ended, isOver: false };
  ended.then(() => {
    one.isOver = true;
  });
  started.add(one);
  return one;
}

const later = (ms) => {
  let timer;
  const promise = new Promise((resolve) => {
    timer = setTimeout(resolve, ms, "late");
  });
  return { promise, cancel: () => clearTimeout(timer) };
};

async function within(promise, ms) {
  const limit = later(ms);
  try {
    return await Promise.race([promise, limit.promise]);
  } finally {
    limit.cancel();
  }
}

function said(one, text) {
  return new Promise((resolve) => {
    const look = () => one.output.join("").includes(text) && resolve("said");
    one.listeners.add(look);
    look();
  });
}

async function end(one) {
  for (const signal of ["SIGTERM", "SIGKILL"]) {
    if (one.isOver) return;
    try {
      process.kill(-one.child.pid, signal);
    } catch {
      return;
    }
    await within(one.ended, END_LIMIT_MS);
  }
}

async function runBlock({ kind, name, until, place, script }, { cwd, leftMs }) {
  const one = start(script, cwd);
  const outcome =
    kind === "run"
      ? await within(one.ended, leftMs)
      : await within(Promise.race([said(one, until), one.ended]), Math.min(leftMs, SERVE_LIMIT_MS));
  if (outcome === (kind === "run" ? 0 : "said")) return one.output;
  if (outcome === RESULT_INVALID && one.output.join("").includes("The client was the limit"))
    return one.output;
  await end(one);
  const why =
    outcome === "late"
      ? kind === "run"
        ? "took too long"
        : `did not print "${until}"`
      : `ended with ${outcome}`;
  throw new Error(`${place} (${name}) ${why}:\n${script}\n---\n${one.output.join("").slice(-4000)}`);
}

async function simulator() {
  const one = start(
    "exec node packages/cli/bin/tokenstorm.mjs simulate --port 0 --time-scale 8 --json",
    root,
  );
  if ((await within(Promise.race([said(one, "\n"), one.ended]), SERVE_LIMIT_MS)) !== "said")
    throw new Error(`the simulator did not start: ${one.output.join("")}`);
  return JSON.parse(one.output.join("")).url;
}

/** The blocks of one file, in a scratch copy of its own; who serves them is ended with it. */
async function runFile(blocks, { targetUrl, deadline }) {
  const cwd = scratchCopy();
  const outputs = [];
  const before = new Set(started);
  try {
    for (const block of blocks.filter(({ kind }) => kind !== "shown")) {
      const at = performance.now();
      const script = substitutes(targetUrl, outputs).reduce(
        (text, [from, to]) => text.replace(from, to),
        block.script,
      );
      outputs.push(...(await runBlock({ ...block, script }, { cwd, leftMs: deadline - at })));
      const tookS = ((performance.now() - at) / 1000).toFixed(1).padStart(5);
      console.log(`ok   ${tookS} s  ${block.place} ${block.kind}: ${block.name}`);
    }
  } finally {
    // In the reverse order, so that nobody is left alone with a dead partner.
    for (const one of [...started].reverse()) if (!before.has(one)) await end(one);
    rmSync(cwd, { recursive: true, force: true });
  }
}

async function runAll(files) {
  // A reader has installed one, or named it.
  process.env.NATS_SERVER_BIN ||= execFileSync("./scripts/get-nats-server.sh", {
    cwd: root,
    encoding: "utf8",
  }).trim();
  const begin = performance.now();
  try {
    const targetUrl = await simulator();
    for (const blocks of files) await runFile(blocks, { targetUrl, deadline: begin + LIMIT_MS });
  } finally {
    for (const one of started) await end(one);
  }
  const tookMs = performance.now() - begin;
  const verdict = tookMs > BUDGET_MS ? "NOTE: over its budget: " : "";
  console.log(`${verdict}ran in ${Math.round(tookMs / 1000)} s of ${BUDGET_MS / 1000} s`);
}

process.on("exit", () => {
  for (const { child, isOver } of started) {
    try {
      if (!isOver) process.kill(-child.pid, "SIGKILL");
    } catch {
      // It has ended meanwhile.
    }
  }
});
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(130));

try {
  const files = FILES.map(blocksOf);
  const blocks = files.flat();
  if (!blocks.some(({ kind }) => kind === "run"))
    throw new Error("no block is run: are the marks still there?");
  if (process.argv.includes("--list"))
    for (const { place, kind, name } of blocks) console.log(`${place} ${kind}: ${name}`);
  else {
    await runAll(files);
    for (const { place, name, kind } of blocks)
      if (kind === "shown") console.log(`not run  ${place}: ${name}`);
  }
} catch (error) {
  console.error(`error: ${error.message}`);
  process.exitCode = 1;
}
