import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { TestContext } from "node:test";
import {
  type NatsServerOptions,
  type NatsUser,
  type RunningNatsServer,
  startNatsServer,
} from "@tokenstorm/protocol/nats";
import { natsServerOrSkip, tempDir } from "@tokenstorm/testkit";
import { type CliOptions, type Running, startCli } from "./cli.js";

/** A nats-server on loopback, and the folder with all that it keeps. */
export interface TestNats {
  readonly url: string;
  readonly dataDir: string;
  readonly server: RunningNatsServer;
  readonly options: NatsServerOptions;
}

/** Undefined where there is no nats-server; the test is skipped then. Ends with the test. */
export async function startNats(
  t: TestContext,
  users: readonly NatsUser[] = [],
): Promise<TestNats | undefined> {
  const bin = await natsServerOrSkip(t);
  if (bin === undefined) return undefined;
  const dataDir = await tempDir(t);
  const options = { bin, dataDir, users };
  const server = await startNatsServer(options);
  t.after(() => server.close());
  return { url: server.url, dataDir, server, options };
}

/** Kills the server, and starts another one on its port with what it had written, or with nothing of it. */
export async function killAndRestartNats(
  t: TestContext,
  { server, options }: TestNats,
  { isEmptied = false }: { readonly isEmptied?: boolean } = {},
): Promise<void> {
  process.kill(server.pid, "SIGKILL");
  await server.ended;
  if (isEmptied) await rm(join(options.dataDir, "jetstream"), { recursive: true });
  const next = await startNatsServer({ ...options, port: server.port });
  t.after(() => next.close());
}

/** A process that has said that it does its work. */
async function startWhenReady(
  t: TestContext,
  args: readonly string[],
  ready: RegExp,
  options: CliOptions,
): Promise<Running> {
  const running = startCli(t, args, { limitMs: 300_000, ...options });
  await running.line(ready);
  return running;
}

/** `options.env` says who it is to NATS; NATS_URL is set. */
export function startCoordinator(
  t: TestContext,
  nats: TestNats,
  args: readonly string[],
  options: CliOptions = {},
): Promise<Running> {
  const env = { NATS_URL: nats.url, ...options.env };
  return startWhenReady(t, ["coordinator", ...args], /leading as/, { ...options, env });
}

/** One agent process, or with `--processes` several behind a supervisor: then the first that is ready counts. */
export function startAgent(
  t: TestContext,
  nats: TestNats,
  args: readonly string[],
  options: CliOptions = {},
): Promise<Running> {
  const env = { NATS_URL: nats.url, ...options.env };
  const processes = args.includes("--processes") ? [] : ["--processes", "1"];
  return startWhenReady(t, ["agent", ...processes, ...args], /agent is ready for runs/, { ...options, env });
}
