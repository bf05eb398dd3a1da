import { createHash, timingSafeEqual } from "node:crypto";
import { isIP } from "node:net";
import type { FastifyRequest } from "fastify";
import { HttpProblem } from "./problem.js";

export interface GuardOptions {
  readonly token: string | null;
  /** The address that is listened on; the ones for all addresses stand for the one a connection came in by. */
  readonly host: string;
  readonly hostNames: readonly string[];
}

/** Refuses whoever may not ask, before anything of the request is read. Throws HttpProblem. */
export function createGuard(options: GuardOptions): (request: FastifyRequest, isOpen: boolean) => void {
  const isExpected = tokenCheck(options.token);
  const names = new Set(
    ["localhost", "127.0.0.1", "::1", options.host, ...options.hostNames].map((name) => name.toLowerCase()),
  );
  return (request, isOpen) => {
    const host = hostNameOf(request.headers.host);
    // A page that has its own name point here (DNS rebinding) is seen by that name.
    if (host === undefined || !(names.has(host) || isSameAddress(host, request.socket.localAddress))) {
      throw new HttpProblem("HOST_UNKNOWN", `this server is not called ${JSON.stringify(shown(request))}`, {
        hint: "ask by an address it listens on, or start the coordinator with --http-host NAME",
      });
    }
    if (!isOpen && !isExpected(request.headers.authorization)) {
      throw new HttpProblem("TOKEN_WRONG", tokenMessage(request.headers.authorization), {
        hint: "send the header Authorization: Bearer TOKEN; the coordinator has it in TOKENSTORM_HTTP_TOKEN",
        headers: { "www-authenticate": 'Bearer realm="tokenstorm"' },
      });
    }
    if (request.method !== "GET" && request.method !== "HEAD") refuseOtherSites(request);
  };
}

/** Of equal length by hashing, so that the time it takes tells nothing of the token. */
function tokenCheck(token: string | null): (authorization: string | undefined) => boolean {
  if (token === null) return () => true;
  const hash = (text: string) => createHash("sha256").update(text).digest();
  const expected = hash(token);
  return (authorization) => {
    const [, given] = /^Bearer +(\S+) *$/i.exec(authorization ?? "") ?? [];
    return timingSafeEqual(hash(given ?? ""), expected) && given !== undefined;
  };
}

const tokenMessage = (authorization: string | undefined): string =>
  authorization === undefined ? "a token is needed" : "the token is wrong";

/** Host without its port: whoever forwards a port asks by another one. */
function hostNameOf(header: string | undefined): string | undefined {
  const [, six, other] = /^(?:\[([0-9a-f:.]+)\]|([^:[\]/@\s]+))(?::\d{1,5})?$/i.exec(header ?? "") ?? [];
  return (six ?? other)?.toLowerCase();
}

/** `::ffff:10.0.0.5` is 10.0.0.5, where a socket takes both. */
function isSameAddress(host: string, address: string | undefined): boolean {
  return isIP(host) !== 0 && address?.replace(/^::ffff:(?=\d+\.)/i, "").toLowerCase() === host;
}

const shown = (request: FastifyRequest): string => (request.headers.host ?? "").slice(0, 100);

/**
 * A page of another site may make a browser send requests here, though it cannot read the answers: those that change
 * something are refused by what browsers say of them (Fetch Metadata, Origin). Programs send neither header.
 */
function refuseOtherSites(request: FastifyRequest): void {
  const site = request.headers["sec-fetch-site"];
  const { origin, host } = request.headers;
  const isOwnSite = site === undefined || site === "same-origin" || site === "none";
  const isOwnOrigin = origin === undefined || origin === `http://${host}` || origin === `https://${host}`;
  if (isOwnSite && isOwnOrigin) return;
  throw new HttpProblem("CROSS_SITE", "a page of another site may not change anything here", {
    hint: "ask from the command line or a program",
  });
}
