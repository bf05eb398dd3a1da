import { STATUS_CODES } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { assert, isLoopbackHost, LoadError } from "@tokenstorm/core";
import { createOperations } from "@tokenstorm/protocol";
import { type FastifyInstance, fastify } from "fastify";
import { watchCluster } from "./cluster-watch.js";
import type { ApiAddress, ApiDeps } from "./deps.js";
import { createGuard } from "./guard.js";
import { createHandlers, type Handler } from "./handlers.js";
import { API_LIMITS, type ApiLimits } from "./limits.js";
import { LiveFeed } from "./live-feed.js";
import { openApiDocument } from "./openapi.js";
import { HttpProblem, refusalOf } from "./problem.js";
import { methodsAt, ROUTES, type RouteName, routeNames } from "./routes.js";

export interface HttpApi {
  /** Such as http://127.0.0.1:7373. */
  readonly url: string;
  /** Ends every stream and connection. May be called twice. */
  close(): Promise<void>;
}

/** Of every answer: nothing of it is to be kept, guessed at or shown inside another page. */
const HEADERS = {
  "cache-control": "no-store",
  "x-content-type-options": "nosniff",
  "cross-origin-resource-policy": "same-origin",
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
} as const;

/**
 * Serves the API of a coordinator until closed. Throws LoadError: SECRET_MISSING for an address beyond loopback without a
 * token, BUS_UNAVAILABLE where it cannot listen.
 */
export async function startHttpApi(deps: ApiDeps): Promise<HttpApi> {
  const { address, cluster, clock, logger } = deps;
  if (deps.token === null && !isLoopbackHost(address.host)) {
    throw new LoadError("SECRET_MISSING", `the HTTP API needs a token to listen on ${address.host}`);
  }
  const limits: ApiLimits = { ...API_LIMITS, ...deps.limits };
  const watch = watchCluster(cluster, clock, limits);
  const operations = createOperations(cluster, { clock, newId: deps.newId, roster: watch.roster });
  const feed = new LiveFeed({ operations, clock, limits, logger, latest: (run) => watch.latest(run) });
  const description = JSON.stringify(
    openApiDocument({ version: deps.version, isTokenNeeded: deps.token !== null }),
  );
  const handlers = createHandlers({ deps, limits, operations, watch, feed, description, headers: HEADERS });
  let server: FastifyInstance | undefined;
  let closing: Promise<void> | undefined;
  const closeAll = async () => {
    feed.close();
    await server?.close();
    watch.close();
  };
  try {
    server = await listen(() => createServer(deps, limits, handlers), deps);
  } catch (error) {
    await closeAll();
    throw error;
  }
  return {
    url: urlOf(server.server.address()),
    close: () => {
      closing ??= closeAll();
      return closing;
    },
  };
}

async function listen(create: () => FastifyInstance, { address, logger }: ApiDeps): Promise<FastifyInstance> {
  const first = await tryToListen(create(), address);
  if (first.kind === "listening") return first.server;
  const place = `${address.host}:${address.port}`;
  if (first.code !== "EADDRINUSE" || !address.orAnyPort) throw notListening(place, first.code);
  logger.warn(`${place} is taken; the HTTP API takes another port`);
  const second = await tryToListen(create(), { ...address, port: 0 });
  if (second.kind === "listening") return second.server;
  throw notListening(address.host, second.code);
}

type Listening =
  | { readonly kind: "listening"; readonly server: FastifyInstance }
  | { readonly kind: "failed"; readonly code: string };

async function tryToListen(server: FastifyInstance, { host, port }: ApiAddress): Promise<Listening> {
  try {
    await server.listen({ host, port });
    return { kind: "listening", server };
  } catch (error) {
    if (!(error instanceof Error && "syscall" in error && "code" in error)) throw error;
    await server.close();
    return { kind: "failed", code: String(error.code) };
  }
}

function notListening(place: string, code: string): LoadError {
  return new LoadError("BUS_UNAVAILABLE", `the HTTP API cannot listen on ${place} (${code})`, {
    hint: "--http [HOST:]PORT names another place, --no-http does without",
  });
}

function createServer(
  deps: ApiDeps,
  limits: ApiLimits,
  handlers: Readonly<Record<RouteName, Handler>>,
): FastifyInstance {
  const server = fastify({
    logger: false,
    bodyLimit: limits.bodyBytes,
    requestTimeout: limits.requestMs,
    keepAliveTimeout: limits.keepAliveMs,
    connectionTimeout: limits.idleMs,
    forceCloseConnections: true,
    http: { maxHeaderSize: limits.headerBytes, headersTimeout: limits.headersMs },
    clientErrorHandler: answerGarbage,
    frameworkErrors: (error, _, reply) => {
      const { status, body } = refusalOf(error);
      reply.hijack();
      reply.raw.writeHead(status, { ...HEADERS, "content-type": "application/json; charset=utf-8" });
      reply.raw.end(JSON.stringify(body));
    },
  });
  server.server.maxConnections = limits.connections;
  server.server.maxHeadersCount = limits.headers;
  server.removeContentTypeParser("text/plain");
  const guard = createGuard({ ...deps, host: deps.address.host });
  server.addHook("onRequest", async (request, reply) => {
    reply.headers(HEADERS);
    guard(request, request.routeOptions.url === ROUTES.health.path);
    // Here, and not where such requests end: what a body says, or fails to say, does not matter any more.
    if (request.is404) throw notThere(request.method, pathOf(request.url));
  });
  server.setErrorHandler((error, request, reply) => {
    const { status, headers, body } = refusalOf(error);
    if (body.error.code === "BUG") {
      const stack = error instanceof Error ? error.stack : String(error);
      deps.logger.error(`a bug: ${request.method} ${request.routeOptions.url ?? "?"} failed`, { stack });
    }
    return reply.code(status).headers(headers).send(body);
  });
  for (const name of routeNames()) {
    const route = ROUTES[name];
    const url = route.path.replaceAll(/\{(\w+)\}/g, ":$1");
    server.route({
      method: route.method,
      url,
      handler: handlers[name],
      exposeHeadRoute: name !== "watchRun",
    });
  }
  return server;
}

const pathOf = (url: string): string => url.split("?", 1)[0] ?? url;

function notThere(method: string, path: string): HttpProblem {
  const methods = methodsAt(path);
  if (methods.length === 0) {
    return new HttpProblem("NOT_FOUND", "there is nothing at this path", {
      hint: "/openapi.json says what there is",
    });
  }
  const allow = methods.join(", ");
  const message = `${method} is not a thing to do with this path; ${allow} may be done`;
  return new HttpProblem("METHOD_NOT_ALLOWED", message, { headers: { allow } });
}

/** What is no HTTP at all, too long or too slow: there is no request yet that could be answered in the usual way. */
function answerGarbage(error: Error & { readonly code?: string }, socket: Socket): void {
  if (error.code === "ECONNRESET" || socket.destroyed) return;
  if (socket.writable) {
    const { status, body } = refusalOf(garbageProblem(error.code));
    const text = JSON.stringify(body);
    const headers = [
      `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
      "Content-Type: application/json; charset=utf-8",
      `Content-Length: ${Buffer.byteLength(text)}`,
      "Connection: close",
    ];
    socket.write(`${headers.join("\r\n")}\r\n\r\n${text}`);
  }
  socket.destroySoon();
}

function garbageProblem(code: string | undefined): HttpProblem {
  switch (code) {
    case "HPE_HEADER_OVERFLOW":
      return new HttpProblem("HEADERS_TOO_LARGE", "the headers are too long");
    case "ERR_HTTP_REQUEST_TIMEOUT":
      return new HttpProblem("TOO_SLOW", "the request did not come to its end in time");
    default:
      return new HttpProblem("BAD_REQUEST", "this is no HTTP request that is understood");
  }
}

function urlOf(address: AddressInfo | string | null): string {
  assert(typeof address === "object" && address !== null, "a TCP server has an address");
  const host = address.family === "IPv6" ? `[${address.address}]` : address.address;
  return `http://${host}:${address.port}`;
}
