import { connect } from "node:net";
import { LoadError } from "@tokenstorm/core";
import { messageOf } from "./errors.js";
import type { ServerAddress } from "./options.js";

/** What a nats-server says of itself before anything is asked. */
export interface ServerGreeting {
  readonly address: ServerAddress;
  readonly version: string;
}

const OLDEST = [2, 9] as const;
const MAX_GREETING_BYTES = 64 * 1024;

/**
 * The first of these addresses at which a nats-server of 2.9 or newer answers. The library would not say why it could
 * not connect, and would leave a socket open for minutes behind a host that does not answer.
 * Throws BUS_UNAVAILABLE within the limit.
 */
export async function findServer(
  servers: readonly ServerAddress[],
  timeoutMs: number,
): Promise<ServerGreeting> {
  const found = new AbortController();
  try {
    return await Promise.any(servers.map((server) => greet(server, timeoutMs, found.signal)));
  } catch (error) {
    if (!(error instanceof AggregateError)) throw error;
    const reasons = error.errors.map(messageOf);
    throw new LoadError("BUS_UNAVAILABLE", `no NATS answers at ${reasons.join("; ")}`, {
      hint: "start one (nats-server -js), or name another with --nats",
    });
  } finally {
    found.abort();
  }
}

/** Whether a version, as `2.10.27`, is this one or a newer one. */
export function isAtLeast(version: string, least: readonly number[]): boolean {
  const parts = version.split(/[.-]/).map(Number);
  for (const [i, wanted] of least.entries()) {
    const part = parts[i] ?? 0;
    if (part !== wanted) return part > wanted;
  }
  return true;
}

/** Rejects with address and reason. */
function greet(address: ServerAddress, timeoutMs: number, signal: AbortSignal): Promise<ServerGreeting> {
  return new Promise((resolve, reject) => {
    let text = "";
    const socket = connect({ host: address.host, port: address.port });
    const limit = setTimeout(() => fail(`no answer within ${timeoutMs} ms`), timeoutMs);
    const finish = () => {
      clearTimeout(limit);
      signal.removeEventListener("abort", giveUp);
      socket.removeAllListeners();
      socket.on("error", () => undefined);
      socket.destroy();
    };
    const fail = (why: string) => {
      finish();
      reject(new Error(`${address.shown}: ${why}`));
    };
    const giveUp = () => fail("another one answered first");
    signal.addEventListener("abort", giveUp);
    socket.setEncoding("latin1");
    socket.on("error", (error) => fail(reasonOf(error)));
    socket.on("close", () => fail("it closed the connection"));
    socket.on("data", (chunk: string) => {
      text += chunk;
      const end = text.indexOf("\n");
      if (end < 0 && text.length < MAX_GREETING_BYTES) return;
      const version = versionIn(text.slice(0, end));
      if (version === undefined) return fail("it is no NATS server");
      if (!isAtLeast(version, OLDEST)) return fail(`it is nats-server ${version}; 2.9 or newer is needed`);
      finish();
      resolve({ address, version });
    });
  });
}

function versionIn(line: string): string | undefined {
  if (!line.startsWith("INFO ")) return undefined;
  try {
    const info: unknown = JSON.parse(line.slice("INFO ".length));
    const version = typeof info === "object" && info !== null && "version" in info ? info.version : undefined;
    return typeof version === "string" ? version : undefined;
  } catch {
    return undefined;
  }
}

const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: "connection refused",
  ENOTFOUND: "no such host",
  EAI_AGAIN: "the name cannot be resolved now",
  ETIMEDOUT: "no answer",
  EHOSTUNREACH: "no route to the host",
  ENETUNREACH: "the network cannot be reached",
  ECONNRESET: "connection reset",
};

function reasonOf(error: Error): string {
  const code = "code" in error && typeof error.code === "string" ? error.code : "";
  // Several addresses of one name fail as one error without a text of its own.
  return REASONS[code] ?? (error.message === "" ? code || "it cannot be reached" : error.message);
}
