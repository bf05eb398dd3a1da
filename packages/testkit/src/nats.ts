import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import type { TestContext } from "node:test";
import {
  findNatsServer,
  type NatsServerOptions,
  type RunningNatsServer,
  startNatsServer,
} from "@tokenstorm/protocol/nats";
import { tempDir } from "./temp-dir.js";

/**
 * The nats-server of this machine. Where there is none the test is skipped, with a reason that nobody overlooks, or
 * fails when REQUIRE_NATS=1; then this is undefined and the test should return.
 */
export async function natsServerOrSkip(t: Pick<TestContext, "skip">): Promise<string | undefined> {
  const found = await findNatsServer(process.env);
  if (found !== undefined) return found.bin;
  const why = "NO nats-server HERE: set NATS_SERVER_BIN to one, or run scripts/get-nats-server.sh";
  assert.notEqual(process.env["REQUIRE_NATS"], "1", why);
  t.skip(why);
  return undefined;
}

/** Runs a test's body with a nats-server of its own on loopback, which ends with it. */
export async function withNatsServer(
  t: TestContext,
  body: (server: RunningNatsServer, options: NatsServerOptions) => Promise<void>,
  more: Partial<Omit<NatsServerOptions, "bin">> = {},
): Promise<void> {
  const bin = await natsServerOrSkip(t);
  if (bin === undefined) return;
  const options = { bin, dataDir: await tempDir(t), ...more };
  const server = await startNatsServer(options);
  try {
    await body(server, options);
  } finally {
    await server.close();
  }
}

/**
 * Starts servers that are one cluster on loopback, each with files of its own; they end with the test. That they have
 * agreed on a leader is for the caller to see.
 */
export async function startNatsCluster(
  t: TestContext,
  bin: string,
  servers: number,
): Promise<readonly RunningNatsServer[]> {
  for (let attempt = 1; ; attempt += 1) {
    const ports = await freePorts(servers);
    const started = await Promise.allSettled(
      ports.map((port, i) => startClusterServer(t, { bin, ports, port, i })),
    );
    const failed = started.find((one) => one.status === "rejected");
    if (failed === undefined)
      return started.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
    for (const one of started) if (one.status === "fulfilled") await one.value.close();
    // Somebody else was given a port that was free a moment ago.
    const mayHelp = String(failed.reason).includes("address already in use");
    if (!mayHelp || attempt === PORT_ATTEMPTS) throw failed.reason;
  }
}

const PORT_ATTEMPTS = 5;

async function startClusterServer(
  t: TestContext,
  {
    bin,
    ports,
    port,
    i,
  }: { readonly bin: string; readonly ports: readonly number[]; readonly port: number; readonly i: number },
): Promise<RunningNatsServer> {
  const routes = ports.map((one) => `nats-route://127.0.0.1:${one}`);
  // A name of its own: a server of another test, on a port that was free a moment ago, would join in.
  const name = `test-${process.pid}-${ports.join("-")}`;
  const extraConfig = [
    `server_name: ${JSON.stringify(clusterServerName(i))}`,
    `cluster: ${JSON.stringify({ name, listen: `127.0.0.1:${port}`, routes })}`,
  ].join("\n");
  const server = await startNatsServer({ bin, dataDir: await tempDir(t), extraConfig });
  t.after(() => server.close());
  return server;
}

/** As NATS names the server at this index when it says who leads. */
export const clusterServerName = (index: number): string => `n${index + 1}`;

/** All different, since all are held until the last is known; whoever asks next may be given one again. */
async function freePorts(count: number): Promise<number[]> {
  const holders = Array.from({ length: count }, () => createServer().listen(0, "127.0.0.1"));
  await Promise.all(holders.map((holder) => once(holder, "listening")));
  const ports = holders.map((holder) => (holder.address() as AddressInfo).port);
  for (const holder of holders) {
    holder.close();
    await once(holder, "close");
  }
  return ports;
}
