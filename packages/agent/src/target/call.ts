import type { Socket } from "node:net";
import { LoadError } from "@tokenstorm/core";
import { Client } from "undici";
import type { Wiring } from "./connection.js";
import { AddressesRefused, type Endpoint } from "./endpoint.js";
import { ConnectError, openSocket } from "./open-socket.js";

/** For the answer, beside the time to connect. */
const ANSWER_MS = 10_000;
const ANSWER_BYTES = 4 * 1024 * 1024;

/** The way to one endpoint for small requests that are no load. */
export interface Line {
  readonly wiring: Wiring;
  readonly endpoint: Endpoint;
  /** Names and values in turn. */
  readonly headers: readonly string[];
}

export interface CallAnswer {
  readonly status: number;
  readonly contentType: string;
  readonly text: string;
}

/**
 * One small request with its whole answer; `body` makes it a POST. Throws LoadError TARGET_UNREACHABLE when no answer
 * came, or one without a reasonable end; any status is an answer.
 */
export async function call(line: Line, path: string, body?: object): Promise<CallAnswer> {
  const { wiring, endpoint, headers } = line;
  const limitUs = wiring.timeouts.connectMs * 1000;
  const client = new Client(endpoint.origin, {
    connect: (_, callback: (...args: [null, Socket] | [Error, null]) => void) => {
      openSocket({ endpoint, clock: wiring.clock, limitUs, sockets: wiring.sockets }, (error, socket) => {
        if (socket === null) callback(error ?? new Error("no socket"), null);
        else callback(null, socket);
      });
    },
  });
  try {
    const answer = await client.request({
      method: body === undefined ? "GET" : "POST",
      path: endpoint.basePath + path,
      headers: [...headers],
      body: body === undefined ? null : JSON.stringify(body),
      signal: AbortSignal.timeout(wiring.timeouts.connectMs + ANSWER_MS),
    });
    const chunks: Buffer[] = [];
    let bytes = 0;
    for await (const chunk of answer.body) {
      chunks.push(chunk);
      bytes += chunk.length;
      if (bytes > ANSWER_BYTES) throw new Error("the answer does not end");
    }
    const contentType = answer.headers["content-type"];
    return {
      status: answer.statusCode,
      contentType: typeof contentType === "string" ? contentType : "",
      text: Buffer.concat(chunks).toString("utf8"),
    };
  } catch (cause) {
    throw unreachable(endpoint, cause);
  } finally {
    await client.destroy();
  }
}

export function unreachable(endpoint: Endpoint, cause: unknown): LoadError {
  const isTimeout = cause instanceof Error && cause.name === "TimeoutError";
  const why = isTimeout
    ? `no answer within ${ANSWER_MS / 1000} s`
    : cause instanceof Error
      ? cause.message
      : String(cause);
  const hint = hintFor(cause);
  return new LoadError("TARGET_UNREACHABLE", `cannot reach ${endpoint.url}: ${why}`, { hint, cause });
}

function hintFor(cause: unknown): string {
  if (cause instanceof ConnectError && cause.reason === "tls")
    return "see target.tls: caFile, serverName, insecureSkipVerify";
  if (cause instanceof ConnectError && cause.cause instanceof AddressesRefused)
    return "the agent was started with --allow-target (TOKENSTORM_ALLOW_TARGET), which bounds where it may send";
  return "is the server up, and the URL right as seen from this agent?";
}
