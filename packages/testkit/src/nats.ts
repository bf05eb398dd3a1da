import assert from "node:assert/strict";
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
