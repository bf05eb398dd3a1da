import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, type TestContext, test } from "node:test";
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
function writePlan(desk: Desk, target: string): void {
  const plan = {
    version: 1,
    name: "hosts",
    target: { urls: [target] },
    agents: { min: 2 },
    warmUp: { requests: 4 },
    load: { kind: "users", stages: [{ users: 20, rampUpMs: 500, settleMs: 500, durationMs: "5s" }] },
  };
  writeFileSync(join(desk.folder, "plan.yaml"), JSON.stringify(plan));
}

const line = async (running: Running, pattern: RegExp): Promise<string> =>
  (await running.line(pattern)).trim();

/** The run came to its end on both agents, and nothing of it is missing. The verdict depends on the machine. */
function assertWhole(submitted: Finished): { readonly run: { readonly id: string } } {
  assert.ok([0, 110].includes(submitted.code ?? -1), `${submitted.code}\n${submitted.stderr}`);
  const report = JSON.parse(submitted.stdout);
  const { intervalsExpected, intervalsReceived, samplesRecorded, samplesMerged } = report.completeness;
  assert.ok(intervalsExpected > 0 && samplesRecorded > 0);
  assert.deepEqual([intervalsReceived, samplesMerged], [intervalsExpected, samplesRecorded]);
  assert.deepEqual(report.agents.map(({ id }: { id: string }) => id).sort(), ["a2", "a3"]);
  assert.equal(report.totals.requests.failed, 0);
  assert.ok(report.totals.server.exact);
  assert.equal(report.totals.server.output, report.totals.tokens.output);
  return report;
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

test(
  "one line opens a cluster for other hosts, and the lines that it prints join it as they are",
  LIMIT,
  async (t) => {
    const network = await threeHosts(t);
    if (network === undefined) return;
    const { desks, bin, address, target } = network;
    // The only address of this host: nothing needs to be asked.
    const coordinator = desks[0].paste("exec node tokenstorm.mjs coordinator --listen", {
      NATS_SERVER_BIN: bin,
    });
    const agentLine = await line(
      coordinator,
      /^ {2}NATS_URL='nats:\/\/agent:[^']*' node tokenstorm\.mjs agent$/,
    );
    assert.ok(agentLine.includes(`@${address}:4222'`), agentLine);
    // Each agent is told its name, so that the report can be looked through by it.
    const agents = [1, 2].map((i) => desks[i]?.paste(`${agentLine} --id a${i + 1} --processes 1`));
    const viewer = desks[2].paste(`${await line(coordinator, /tokenstorm\.mjs tail --wait$/)} --json`);
    await Promise.all(agents.map((agent) => agent?.line(/agent is ready for runs/)));
    writePlan(desks[1], target);
    const submitLine = await line(coordinator, /tokenstorm\.mjs submit plan\.yaml --wait$/);
    const listed = await desks[1].paste(submitLine.replace("submit plan.yaml --wait", "agents")).finished;
    assert.match(listed.stdout, /a2 .*\n.*a3 /);
    const submitted = await desks[1].paste(`${submitLine} --json`).finished;
    const report = assertWhole(submitted);
    assertSawEnd(await viewer.finished, report.run.id);
    coordinator.signal("SIGTERM");
    assert.equal((await coordinator.finished).code, 0);
  },
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
