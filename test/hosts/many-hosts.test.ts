import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, type TestContext, test } from "node:test";
import { autoProcesses } from "@tokenstorm/agent";
import {
  type NetworkHost,
  natsServerOrSkip,
  networkHostsOrSkip,
  TEST_HOSTS_CERTIFICATE,
  TEST_HOSTS_KEY,
} from "@tokenstorm/testkit";
import { type Finished, type Running, root, scratch, startProcess } from "../integration/cli.js";
import { makeCredentials } from "./credentials.js";

const LIMIT = { timeout: 180_000 };
const bundle = join(root, "dist/tokenstorm.mjs");

before(() => {
  execFileSync(join(root, "scripts/bundle.sh"), { stdio: ["ignore", "ignore", "inherit"] });
  assert.ok(existsSync(bundle));
});

/** What another host has: the file in the folder in which lines are pasted, node, and nothing else. */
interface Desk {
  readonly folder: string;
  /** Pastes a line into a shell there. */
  paste(line: string, env?: Readonly<Record<string, string>>): Running;
}

function deskOn(t: TestContext, host: NetworkHost): Desk {
  const folder = scratch(t);
  const bin = join(folder, "bin");
  mkdirSync(bin);
  symlinkSync(process.execPath, join(bin, "node"));
  copyFileSync(bundle, join(folder, "tokenstorm.mjs"));
  return {
    folder,
    paste: (line, env = {}) =>
      startProcess(
        t,
        host.on([
          "/usr/bin/env",
          "-i",
          ...entries({ PATH: bin, HOME: folder, ...env }),
          "/bin/sh",
          "-c",
          line,
        ]),
        {
          cwd: folder,
          limitMs: 150_000,
        },
      ),
  };
}

const entries = (env: Readonly<Record<string, string>>): string[] =>
  Object.entries(env).map(([name, value]) => `${name}=${value}`);

/** Three hosts with a desk each; a simulator runs on the third. */
async function threeHosts(t: TestContext) {
  const bin = await natsServerOrSkip(t);
  if (bin === undefined) return undefined;
  const hosts = await networkHostsOrSkip(t, 3);
  const [first, second, third] = hosts ?? [];
  if (first === undefined || second === undefined || third === undefined) return undefined;
  const desks = [deskOn(t, first), deskOn(t, second), deskOn(t, third)] as const;
  const simulator = desks[2].paste(
    `node tokenstorm.mjs simulate --host ${third.address} --port 0 --time-scale 5 --json`,
  );
  const { url }: { url: string } = JSON.parse(await simulator.line(/"url"/));
  return { bin, address: first.address, desks, target: url };
}

/** Writes the plan where the operator's line will look for it. */
function writePlan(desk: Desk, target: string, agents = 2): void {
  const plan = {
    version: 1,
    name: "hosts",
    target: { urls: [target] },
    agents: { min: agents },
    warmUp: { requests: 4 },
    load: {
      kind: "users",
      stages: [{ users: Math.max(20, agents), rampUpMs: 500, settleMs: 500, durationMs: "5s" }],
    },
  };
  writeFileSync(join(desk.folder, "plan.yaml"), JSON.stringify(plan));
}

const line = async (running: Running, pattern: RegExp): Promise<string> =>
  (await running.line(pattern)).trim();

interface Whole {
  readonly run: { readonly id: string };
  /** Ids. */
  readonly agents: readonly string[];
}

/** The run came to its end, and nothing of it is missing. The verdict depends on the machine. */
function assertWhole(submitted: Finished): Whole {
  assert.ok([0, 110].includes(submitted.code ?? -1), `${submitted.code}\n${submitted.stderr}`);
  const report = JSON.parse(submitted.stdout);
  const { intervalsExpected, intervalsReceived, samplesRecorded, samplesMerged } = report.completeness;
  assert.ok(intervalsExpected > 0 && samplesRecorded > 0);
  assert.deepEqual([intervalsReceived, samplesMerged], [intervalsExpected, samplesRecorded]);
  assert.equal(report.totals.requests.failed, 0);
  assert.ok(report.totals.server.exact);
  assert.equal(report.totals.server.output, report.totals.tokens.output);
  return { run: report.run, agents: report.agents.map(({ id }: { id: string }) => id).sort() };
}

/** A tail that ended by itself saw this run to its end. */
function assertSawEnd(watched: Finished, run: string): void {
  assert.equal(watched.code, 0, watched.stderr);
  const updates = watched.stdout
    .trimEnd()
    .split("\n")
    .map((text) => JSON.parse(text));
  assert.ok(updates.length > 3);
  assert.deepEqual([updates.at(-1).run, updates.at(-1).state], [run, "completed"]);
}

/** What the first host is told beside `--listen`, and what every host has beside the file. */
interface Opening {
  readonly flags?: string;
  readonly files?: Readonly<Record<string, string>>;
}

/** Opens a cluster on the first host and joins it from the others by the printed lines; two hosts have agents. */
async function joinByPrintedLines(t: TestContext, { flags = "", files = {} }: Opening): Promise<void> {
  const network = await threeHosts(t);
  if (network === undefined) return;
  const { desks, bin, address, target } = network;
  for (const { folder } of desks)
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  // The only address of this host: nothing needs to be asked.
  const coordinator = desks[0].paste(`exec node tokenstorm.mjs coordinator --listen${flags}`, {
    NATS_SERVER_BIN: bin,
  });
  const agentLine = await line(coordinator, / node tokenstorm\.mjs agent$/);
  const scheme = flags === "" ? "nats" : "tls";
  assert.match(agentLine, new RegExp(`^NATS_URL='${scheme}://agent:[\\w-]+@${address}:4222' `));
  const agentHosts = [desks[1].paste(agentLine), desks[2].paste(agentLine)];
  const viewer = desks[2].paste(`${await line(coordinator, /tokenstorm\.mjs tail --wait$/)} --json`);
  await Promise.all(agentHosts.map((host) => host.line(/agent processes started/)));
  // As many as each host may use CPUs, under ids that only they know.
  const count = agentHosts.length * autoProcesses();
  writePlan(desks[1], target, count);
  const submitLine = await line(coordinator, /tokenstorm\.mjs submit plan\.yaml --wait$/);
  const report = assertWhole(await desks[1].paste(`${submitLine} --json`).finished);
  assert.equal(report.agents.length, count);
  assertSawEnd(await viewer.finished, report.run.id);
  const listed = await desks[1].paste(submitLine.replace("submit plan.yaml --wait", "agents --json"))
    .finished;
  const { agents }: { agents: { agent: string }[] } = JSON.parse(listed.stdout);
  assert.deepEqual(agents.map(({ agent }) => agent).sort(), report.agents);
  coordinator.signal("SIGTERM");
  assert.equal((await coordinator.finished).code, 0);
}

test(
  "one line opens a cluster for other hosts, and the lines that it prints join it as they are",
  LIMIT,
  (t) => joinByPrintedLines(t, {}),
);

test("with a certificate they do so over TLS, with the authority beside the file", LIMIT, (t) =>
  joinByPrintedLines(t, {
    flags: " --listen-tlscert ca.pem --listen-tlskey key.pem --listen-tlsca ca.pem",
    files: { "ca.pem": TEST_HOSTS_CERTIFICATE, "key.pem": TEST_HOSTS_KEY },
  }),
);

test("hosts join a NATS with TLS and creds, one identity for each of them", LIMIT, async (t) => {
  const network = await threeHosts(t);
  if (network === undefined) return;
  const { desks, bin, address, target } = network;
  const [home] = desks;
  const { config, files } = await makeCredentials(join(home.folder, "creds"), {
    coordinator: { role: "coordinator" },
    operator: { role: "operator" },
    viewer: { role: "viewer" },
    a2: { role: "agent", agent: "a2", inbox: "_INBOX_a2" },
    a3: { role: "agent", agent: "a3", inbox: "_INBOX_a3" },
  });
  const [cert, key] = [join(home.folder, "cert.pem"), join(home.folder, "key.pem")];
  writeFileSync(cert, TEST_HOSTS_CERTIFICATE);
  writeFileSync(key, TEST_HOSTS_KEY);
  const configFile = join(home.folder, "nats.conf");
  writeFileSync(
    configFile,
    [
      `listen: "${address}:4222"`,
      `jetstream: { store_dir: ${JSON.stringify(join(home.folder, "jetstream"))} }`,
      `tls: { cert_file: ${JSON.stringify(cert)}, key_file: ${JSON.stringify(key)} }`,
      config,
    ].join("\n"),
  );
  const server = home.paste(`exec ${bin} -c nats.conf`);
  await server.line(/Server is ready/);
  const as = (identity: string) => ({
    NATS_URL: `tls://${address}:4222`,
    NATS_CA: cert,
    NATS_CREDS: files[identity] ?? "",
  });
  const coordinator = home.paste("node tokenstorm.mjs coordinator", as("coordinator"));
  await coordinator.line(/leading as/);
  const agents = [1, 2].map((i) => {
    const id = `a${i + 1}`;
    return desks[i]?.paste(
      `node tokenstorm.mjs agent --id ${id} --processes 1 --nats-inbox _INBOX_${id}`,
      as(id),
    );
  });
  await Promise.all(agents.map((agent) => agent?.line(/agent is ready for runs/)));
  const viewer = desks[2].paste("node tokenstorm.mjs tail --wait --json", as("viewer"));
  writePlan(desks[1], target);
  const submitted = await desks[1].paste("node tokenstorm.mjs submit plan.yaml --wait --json", as("operator"))
    .finished;
  const report = assertWhole(submitted);
  assert.deepEqual(report.agents, ["a2", "a3"]);
  assertSawEnd(await viewer.finished, report.run.id);

  const impostor = desks[1].paste(
    "node tokenstorm.mjs agent --id a9 --processes 1 --nats-inbox _INBOX_a2",
    as("a2"),
  );
  const { code, stderr } = await impostor.finished;
  assert.equal(code, 1, stderr);
  assert.match(stderr, /error: .*ts\.v1\.(time|hb)\.a9/);
});

test("a NATS beyond loopback that lets everybody in is warned of", LIMIT, async (t) => {
  const network = await threeHosts(t);
  if (network === undefined) return;
  const { desks, bin, address } = network;
  const server = desks[0].paste(`exec ${bin} -js -sd ${desks[0].folder}/jetstream -a ${address}`);
  await server.line(/Server is ready/);
  const coordinator = desks[1].paste(`node tokenstorm.mjs coordinator --nats nats://${address}:4222`);
  await coordinator.line(/asks for no user: whoever reaches it can submit, stop and forge/);
});
