import { lookup } from "node:dns";
import { get as getHttp, type IncomingMessage } from "node:http";
import { get as getHttps } from "node:https";
import { isIP, type LookupFunction } from "node:net";
import type { HttpGet } from "@tokenstorm/coordinator";
import {
  admitTarget,
  isAddressAllowed,
  LoadError,
  rulesText,
  type TargetPlace,
  type TargetRule,
} from "@tokenstorm/core";

/** Metrics of a large cluster have some megabytes; more is something else. */
const MOST_BYTES = 32 * 1024 * 1024;
const MOST_REDIRECTS = 5;

/**
 * GETs that go nowhere but where the rules allow: not by a redirect, and not by what a name resolves to. Rejects with a
 * reason for a person (no answer in time, refused, too large); with a LoadError where a rule forbids it, which will not
 * be different the next time.
 */
export function createHttpGet(rules: readonly TargetRule[]): HttpGet {
  return async (url, { timeoutMs }) => {
    const signal = AbortSignal.timeout(timeoutMs);
    try {
      return await follow(new URL(url), { rules, signal });
    } catch (error) {
      if (error instanceof LoadError) throw error;
      throw new Error(signal.aborted ? `no answer within ${timeoutMs} ms` : reasonOf(error), {
        cause: error,
      });
    }
  };
}

interface Bounds {
  readonly rules: readonly TargetRule[];
  readonly signal: AbortSignal;
}

async function follow(first: URL, bounds: Bounds): Promise<{ status: number; body: string }> {
  let url = first;
  for (let redirects = 0; ; redirects += 1) {
    const answer = await ask(url, bounds);
    const status = answer.statusCode ?? 0;
    const { location } = answer.headers;
    if (status < 300 || status > 399 || location === undefined) {
      return { status, body: await bodyOf(answer) };
    }
    answer.destroy();
    if (redirects >= MOST_REDIRECTS) throw new Error(`it redirects more than ${MOST_REDIRECTS} times`);
    url = redirectTarget(location, url);
  }
}

function redirectTarget(location: string, from: URL): URL {
  const to = URL.canParse(location, from.href) ? new URL(location, from) : undefined;
  if (to === undefined || !/^https?:$/.test(to.protocol))
    throw new Error("it redirects to what is no http URL");
  return to;
}

/** Resolves with the head of the answer. */
function ask(url: URL, { rules, signal }: Bounds): Promise<IncomingMessage> {
  const place = placeOf(url);
  if (admitTarget(rules, place) === "refused") throw forbidden(place, rules);
  const get = place.scheme === "https" ? getHttps : getHttp;
  return new Promise((resolve, reject) => {
    const options = { signal, agent: false, lookup: allowedLookup(place, rules) } as const;
    get(url, { ...options, headers: { accept: "text/plain, */*" } }, resolve).on("error", reject);
  });
}

function placeOf(url: URL): TargetPlace {
  const scheme = url.protocol === "https:" ? "https" : "http";
  const port = url.port === "" ? (scheme === "https" ? 443 : 80) : Number(url.port);
  return { scheme, host: url.hostname.replace(/^\[|\]$/g, ""), port };
}

/** What the socket asks for the addresses of a name: it hears of no other than those it may connect to. */
function allowedLookup(place: TargetPlace, rules: readonly TargetRule[]): LookupFunction {
  return (host, options, callback) => {
    lookup(host, { ...options, all: true }, (error, found) => {
      if (error !== null) return callback(error, []);
      const allowed = found.filter(({ address }) => isAddressAllowed(rules, place, address));
      const [first] = allowed;
      if (first === undefined)
        callback(
          forbidden(
            place,
            rules,
            found.map(({ address }) => address),
          ),
          [],
        );
      else if (options.all === true) callback(null, allowed);
      else callback(null, first.address, first.family);
    });
  };
}

function forbidden(
  { scheme, host, port }: TargetPlace,
  rules: readonly TargetRule[],
  addresses: readonly string[] = [],
): LoadError {
  const place = `${scheme}://${isIP(host) === 6 ? `[${host}]` : host}:${port}`;
  const which = addresses.length === 0 ? place : `${place}, which is ${addresses.join(", ")}`;
  return new LoadError(
    "TARGET_UNREACHABLE",
    `the coordinator may not connect to ${which}: it is allowed ${rulesText(rules)}`,
    { hint: "start the coordinator with one more --allow-target (TOKENSTORM_ALLOW_TARGET)" },
  );
}

async function bodyOf(answer: IncomingMessage): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of answer) {
    const bytes: Uint8Array = chunk;
    size += bytes.length;
    if (size > MOST_BYTES) throw new Error(`the answer is larger than ${MOST_BYTES} bytes`);
    chunks.push(bytes);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if ("code" in error && error.code === "ECONNREFUSED") return "connection refused";
  // Several addresses of one name fail as one error without a text of its own.
  return error.message === "" && "code" in error ? String(error.code) : error.message;
}
