import type { WireTarget } from "@tokenstorm/agent";
import { type Clock, type ConformanceReport, LoadError } from "@tokenstorm/core";
import { askServer } from "../doctor/ask-server.js";
import { CheckBook } from "./check-book.js";
import { checkAbort, checkHeadersFirst, checkKey, checkParallel } from "./connection-checks.js";
import { checkExact, checkMonotone, pageAtRest } from "./counter-checks.js";
import { checkEndpoints, checkMetricsPage } from "./endpoint-checks.js";
import { checkErrors } from "./error-checks.js";
import { checkGeneration } from "./generation-checks.js";
import type { Scrape } from "./scrape.js";
import type { Server } from "./server.js";
import { checkTokens } from "./token-checks.js";

export interface SuiteOptions {
  readonly target: WireTarget;
  readonly clock: Clock;
  /** The first that is served where none is named. */
  readonly model?: string | undefined;
  /** Makes ids and prompts of this run unlike any other's: letters and digits. */
  readonly salt: string;
  /** Where the bytes of failing exchanges go; nowhere where it is absent. */
  readonly evidenceFolder?: string | undefined;
  /** Hears what is being checked. */
  readonly onStep?: (what: string) => void;
}

/**
 * Holds a server against the wire contract, one exchange at a time but for the streams that must run together. Some
 * sixty small requests: it is meant for a server that nobody else uses. Throws LoadError TARGET_UNREACHABLE where there
 * is no server, AGENT_NOT_READY where it serves no such model.
 */
export async function runConformance(options: SuiteOptions): Promise<ConformanceReport> {
  const { target, onStep = () => undefined } = options;
  const server = await findServer(options);
  const book = new CheckBook();
  let version: string | null = null;
  let firstPage: Scrape | null = null;
  const steps: readonly (readonly [string, () => Promise<void>])[] = [
    [
      "endpoints",
      async () => {
        version = await checkEndpoints(server, book);
      },
    ],
    [
      "metrics",
      async () => {
        firstPage = await checkMetricsPage(server, book);
      },
    ],
    ["chat completions", () => checkGeneration(server, book, "chat")],
    ["completions", () => checkGeneration(server, book, "completions")],
    ["token counts", () => checkTokens(server, book)],
    ["headers", () => checkHeadersFirst(server, book)],
    ["streams at once", () => checkParallel(server, book)],
    ["a client that hangs up", () => abortAtRest(server, book, firstPage)],
    ["errors", () => checkErrors(server, book)],
    ["the key", () => checkKey(server, book)],
    ["counters", async () => (firstPage === null ? undefined : countersOf(server, book, firstPage))],
  ];
  for (const [what, step] of steps) {
    onStep(what);
    await step().catch((error: unknown) => connectionLost(error, target, what));
  }
  const checks = await book.results(options.evidenceFolder, target.shown);
  const counts = { passed: 0, failed: 0, skipped: 0 };
  for (const { outcome } of checks) counts[outcome] += 1;
  return { schemaVersion: 1, url: target.url, model: server.model, serverVersion: version, checks, counts };
}

async function abortAtRest(server: Server, book: CheckBook, page: Scrape | null): Promise<void> {
  if (page === null) return;
  const idle = await pageAtRest(server);
  if (typeof idle === "string") book.skip("connections.abort", idle);
  else await checkAbort(server, book, idle);
}

async function countersOf(server: Server, book: CheckBook, first: Scrape): Promise<void> {
  await checkExact(server, book);
  await checkMonotone(server, book, first);
}

/** A server that was there and takes no connection any more; anything else is a bug of ours. */
function connectionLost(error: unknown, target: WireTarget, what: string): never {
  if (!(error instanceof Error) || !("code" in error) || error.code !== "TS_CONNECT") throw error;
  const message = `${target.url} took no connection any more while ${what} was checked: ${target.shown(error.message)}`;
  throw new LoadError("TARGET_UNREACHABLE", message, { cause: error });
}

async function findServer({ target, clock, model, salt }: SuiteOptions): Promise<Server> {
  const asked = await askServer(target);
  if (asked.kind === "unreachable")
    throw new LoadError("TARGET_UNREACHABLE", `${target.url} cannot be checked: ${asked.why}`, {
      hint: "is it the server's address, without /v1, and is the server ready?",
    });
  const { models } = asked.server;
  const found = model === undefined ? models[0] : models.find(({ id }) => id === model);
  if (found === undefined && (model === undefined || models.length > 0)) {
    const served =
      models.length === 0 ? asked.notes.join("; ") : `it serves ${models.map(({ id }) => id).join(", ")}`;
    throw new LoadError(
      "AGENT_NOT_READY",
      `${target.url} names no model to ask for${model === undefined ? "" : ` called ${model}`}: ${served}`,
      {
        hint: "name one with --model; a server that wants a key needs --api-key-env",
      },
    );
  }
  let count = 0;
  return {
    target,
    clock,
    model: found?.id ?? model ?? "",
    maxModelLen: found?.maxModelLen,
    nextId: () => `ts-conformance-${salt}-${++count}`,
    prompt: (text) => `${salt} ${count}: ${text}`,
  };
}
