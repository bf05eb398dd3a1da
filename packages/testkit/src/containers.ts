import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { GenericContainer, type StartedTestContainer, Wait } from "testcontainers";

// Its own clean-up is another image, which cannot be had everywhere. Ours is by label: scripts/remove-test-containers.sh.
process.env["TESTCONTAINERS_RYUK_DISABLED"] = "true";

/** On all that tests make, with the process that made it; what such a process leaves behind can be told by it. */
const LABEL = { "tokenstorm.test": String(process.pid) };
/** The same for a command line of docker: `--label ...`. */
export const LABEL_FLAG = `--label ${Object.entries(LABEL).map(([name, value]) => `${name}=${value}`)}`;
const NATS_IMAGE = "nats:2.10-alpine";
const root = fileURLToPath(new URL("../../../", import.meta.url));
const NATS_CONFIG = join(root, "docker/nats.conf");

export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end; never rejects. */
export function runProgram(
  file: string,
  args: readonly string[],
  options: { readonly env?: Readonly<Record<string, string>>; readonly limitMs?: number } = {},
): Promise<Ran> {
  const settings = {
    env: { ...process.env, ...options.env },
    timeout: options.limitMs ?? 60_000,
    maxBuffer: 64 * 1024 * 1024,
  };
  return new Promise((resolve) => {
    execFile(file, args, settings, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === "number" ? error.code : 1;
      resolve({ code, stdout, stderr: stderr === "" && error !== null ? error.message : stderr });
    });
  });
}

/** What `docker ...args` wrote to stdout. Fails the test with what it said where it fails. */
export async function docker(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await runProgram("docker", args);
  assert.equal(code, 0, `docker ${args.join(" ")}: ${stderr}`);
  return stdout.trim();
}

/** Of this process; scripts/remove-test-containers.sh removes it when the process has ended. */
export const TEST_IMAGE = `tokenstorm-test:${process.pid}`;

/** Whether a docker engine answers. Where none does the test is skipped, or fails when REQUIRE_DOCKER=1. */
async function engineOrSkip(t: TestContext): Promise<boolean> {
  const asked = await runProgram("docker", ["version", "--format", "{{.Server.Version}}"], {
    limitMs: 10_000,
  });
  if (asked.code !== 0) skip(t, `NO docker ENGINE ANSWERS HERE: ${lastLine(asked.stderr)}`);
  return asked.code === 0;
}

/**
 * The project's image, built now from the working tree. Where there is no engine, or no base image, the test is skipped,
 * or fails when REQUIRE_DOCKER=1; then this is undefined and the test should return.
 */
export async function imageOrSkip(t: TestContext): Promise<string | undefined> {
  if (!(await engineOrSkip(t))) return undefined;
  const built = await runProgram(join(root, "scripts/image.sh"), [TEST_IMAGE], { limitMs: 180_000 });
  if (built.code === 0) return TEST_IMAGE;
  skip(t, `THE IMAGE CANNOT BE BUILT HERE: ${lastLine(built.stderr)}`);
  return undefined;
}

function skip(t: TestContext, why: string): void {
  assert.notEqual(process.env["REQUIRE_DOCKER"], "1", why);
  t.skip(why);
}

const lastLine = (text: string): string => text.trim().split("\n").at(-1) ?? "";

/** A role of NATS, as docker/nats.conf has users for them. */
const ROLES = ["coordinator", "agent", "operator", "viewer"] as const;
type Role = (typeof ROLES)[number];
const passwordOf = (role: Role): string => `P${role}${process.pid}`;

/** One private network with names on it; NATS is `nats` there. */
export interface ContainerCluster {
  readonly nats: StartedTestContainer;
  /** For a client on this host. */
  readonly natsUrl: string;
  /** What a client on this host needs to be an operator. */
  readonly operatorEnv: Readonly<Record<string, string>>;
  /** Starts a container of the image with `args`, and resolves once it has logged what `ready` matches. */
  start(name: string, args: readonly string[], options: StartOptions): Promise<StartedTestContainer>;
  /** Takes a container off the network; what is returned puts it back, where its connections go on: its address is the same. */
  cutOff(container: StartedTestContainer): Promise<() => Promise<void>>;
}

export interface StartOptions {
  readonly role: Role;
  readonly ready: RegExp;
}

/** A network and NATS on it; whatever was started there is removed when the test ends. */
export async function startContainerCluster(t: TestContext, image: string): Promise<ContainerCluster> {
  const started: StartedTestContainer[] = [];
  const network = `tokenstorm-test-${process.pid}-${performance.now().toFixed(0)}`;
  await createNetwork(network);
  t.after(async () => {
    await Promise.all(started.map((one) => one.stop({ timeout: 0 })));
    await docker("network", "rm", network);
  });
  const keep = async (container: HardenedContainer) => {
    const one = await container.start();
    started.push(one);
    return one;
  };
  const nats = await keep(natsContainer(network));
  const published = await docker("port", nats.getId(), "4222/tcp");
  return {
    nats,
    natsUrl: `nats://${published.split("\n")[0]}`,
    operatorEnv: accessAs("operator"),
    start: (name, args, { role, ready }) =>
      keep(
        new HardenedContainer(image, { network, name })
          .withEnvironment({ NATS_URL: "nats://nats:4222", ...accessAs(role) })
          .withCommand([...args])
          .withWaitStrategy(Wait.forLogMessage(ready))
          .withStartupTimeout(60_000),
      ),
    cutOff: async (container) => {
      const id = container.getId();
      const place = `{{with index .NetworkSettings.Networks "${network}"}}{{.IPAddress}}{{end}}`;
      const address = await docker("inspect", "--format", place, id);
      await docker("network", "disconnect", network, id);
      return async () => {
        await docker("network", "connect", "--ip", address, network, id);
      };
    },
  };
}

/**
 * With a range of addresses that is stated: only there may a container say which one is its own. The engine knows which
 * range is free, so that it is asked first.
 */
async function createNetwork(name: string): Promise<void> {
  const create = ["network", "create", ...LABEL_FLAG.split(" ")];
  await docker(...create, name);
  const range = await docker("network", "inspect", "--format", "{{(index .IPAM.Config 0).Subnet}}", name);
  await docker("network", "rm", name);
  await docker(...create, "--subnet", range, name);
}

const accessAs = (role: Role) => ({ NATS_USER: role, NATS_PASSWORD: passwordOf(role) });

/** With the users of the shipped configuration. */
function natsContainer(network: string): HardenedContainer {
  const container = new HardenedContainer(NATS_IMAGE, { network, name: "nats", publish: "4222/tcp" });
  container.withTmpFs({ "/data": "rw" }).withWaitStrategy(Wait.forLogMessage(/Server is ready/));
  if (!existsSync(NATS_CONFIG)) return container.withCommand(["--jetstream", "--store_dir", "/data"]);
  return container
    .withBindMounts([{ source: NATS_CONFIG, target: "/etc/nats/nats.conf", mode: "ro" }])
    .withEnvironment(
      Object.fromEntries(
        ROLES.map((role) => [`TOKENSTORM_${role.toUpperCase()}_PASSWORD`, passwordOf(role)]),
      ),
    )
    .withCommand(["--config", "/etc/nats/nats.conf"]);
}

interface Place {
  readonly network: string;
  /** On the network. */
  readonly name: string;
  /** A port that this host, and nobody else, reaches too. */
  readonly publish?: string;
}

/** Read-only root, no capability, on one network only. */
class HardenedContainer extends GenericContainer {
  constructor(image: string, { network, name, publish }: Place) {
    super(image);
    this.withLabels(LABEL).withNetworkMode(network).withDroppedCapabilities("ALL");
    this.hostConfig.ReadonlyRootfs = true;
    this.createOpts.NetworkingConfig = { EndpointsConfig: { [network]: { Aliases: [name] } } };
    if (publish === undefined) return;
    this.createOpts.ExposedPorts = { [publish]: {} };
    this.hostConfig.PortBindings = { [publish]: [{ HostIp: "127.0.0.1", HostPort: "0" }] };
  }
}

/** What its health check says: starting, healthy, unhealthy. */
export function healthOf(container: StartedTestContainer): Promise<string> {
  return docker("inspect", "--format", "{{.State.Health.Status}}", container.getId());
}

/** Waits for that state; fails the test with the last checks when it does not come in time. */
export async function awaitHealth(
  container: StartedTestContainer,
  wanted: "healthy" | "unhealthy",
  limitMs: number,
): Promise<void> {
  const deadlineMs = performance.now() + limitMs;
  while ((await healthOf(container)) !== wanted) {
    if (performance.now() > deadlineMs) {
      const checks = await docker("inspect", "--format", "{{json .State.Health}}", container.getId());
      assert.fail(`${container.getName()} is not ${wanted} within ${limitMs} ms: ${checks}`);
    }
    await pause(500);
  }
}
