import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import type { TestContext } from "node:test";
import { promisify } from "node:util";

const run = promisify(execFile);

/** A host of a network of its own: a Linux network namespace with one address, behind a switch. */
export interface NetworkHost {
  /** 10.77.0.1 and on. */
  readonly address: string;
  /** The command line that runs `argv` on this host. */
  on(argv: readonly string[]): string[];
}

let networks = 0;

/**
 * Makes a network of hosts that is gone when the test ends, with every process that still runs on it. Where that cannot
 * be (it takes root, Linux and iproute2) the test is skipped, with a reason that nobody overlooks, or fails when
 * REQUIRE_NETNS=1; then this is undefined and the test should return. All networks use the same addresses: nothing of
 * one is seen from another, nor from this machine's own.
 */
export async function networkHostsOrSkip(
  t: Pick<TestContext, "skip" | "after">,
  count: number,
): Promise<NetworkHost[] | undefined> {
  networks += 1;
  const names = Array.from({ length: count + 1 }, (_, i) => `ts-${process.pid}-${networks}-${i}`);
  const [bridge = "", ...hosts] = names;
  t.after(() => remove(names));
  try {
    await removeAbandoned();
    // In a namespace of its own too: on this machine itself, a firewall may drop what crosses a bridge.
    await ip("netns", "add", bridge);
    await ip("-n", bridge, "link", "add", "br0", "type", "bridge");
    await ip("-n", bridge, "link", "set", "br0", "up");
    for (const [i, host] of hosts.entries()) await addHost(bridge, host, i + 1);
  } catch (error) {
    const why = `NO network namespaces HERE (root, Linux and iproute2 are needed): ${reasonOf(error)}`;
    assert.notEqual(process.env["REQUIRE_NETNS"], "1", why);
    t.skip(why);
    return undefined;
  }
  return hosts.map((host, i) => ({
    address: addressOf(i + 1),
    on: (argv) => ["ip", "netns", "exec", host, ...argv],
  }));
}

const addressOf = (number: number): string => `10.77.0.${number}`;

async function addHost(bridge: string, host: string, number: number): Promise<void> {
  await ip("netns", "add", host);
  await ip("-n", bridge, "link", "add", `v${number}`, "type", "veth", "peer", "name", "eth0", "netns", host);
  await ip("-n", bridge, "link", "set", `v${number}`, "master", "br0", "up");
  await ip("-n", host, "addr", "add", `${addressOf(number)}/24`, "dev", "eth0");
  await ip("-n", host, "link", "set", "eth0", "up");
  await ip("-n", host, "link", "set", "lo", "up");
}

/** A living process would keep its namespace; whatever runs in these was started there by the test. */
async function remove(names: readonly string[]): Promise<void> {
  for (const name of names) {
    const pids = await ip("netns", "pids", name).catch(() => "");
    for (const pid of pids.split("\n").filter((line) => line !== "")) kill(Number(pid));
    await ip("netns", "del", name).catch(() => undefined);
  }
}

/** What a test that was killed has left: its networks are named after its process. */
async function removeAbandoned(): Promise<void> {
  const listed = (await ip("netns", "list")).split("\n").map((line) => line.split(" ")[0] ?? "");
  await remove(
    listed.filter((name) => /^ts-\d+-\d+-\d+$/.test(name) && !isAlive(Number(name.split("-")[1]))),
  );
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended by itself meanwhile.
  }
}

async function ip(...args: string[]): Promise<string> {
  return (await run("ip", args, { timeout: 10_000 })).stdout;
}

function reasonOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.trim().split("\n").at(-1) ?? text;
}
