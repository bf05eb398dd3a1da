import { isIP } from "node:net";
import type { ApiAddress } from "@tokenstorm/api";
import { isLoopbackHost, LoadError } from "@tokenstorm/core";
import { type Command, InvalidArgumentError } from "commander";

/** As commander hands them over: where the coordinator's HTTP API listens, and who may ask. */
export interface HttpFlags {
  /** False with --no-http; true where neither was said. */
  readonly http: ApiAddress | boolean;
  readonly httpTokenEnv?: string;
  readonly httpHost?: readonly string[];
}

export interface HttpAccess {
  readonly address: ApiAddress;
  readonly token: string | null;
  readonly hostNames: readonly string[];
}

const DEFAULT_ADDRESS: ApiAddress = { host: "127.0.0.1", port: 7373, orAnyPort: true };
const TOKEN_ENV = "TOKENSTORM_HTTP_TOKEN";
/** A shorter one can be guessed: nothing slows those down who try. */
const SHORTEST_TOKEN = 16;

export function addHttpFlags(command: Command): Command {
  return command
    .option("--http <[host:]port>", "where the HTTP API listens; 127.0.0.1:7373 by default", httpAddress)
    .option("--no-http", "no HTTP API")
    .option(
      "--http-token-env <name>",
      `environment variable with the token that it asks for (${TOKEN_ENV}); none is needed on loopback`,
    )
    .option(
      "--http-host <name>",
      "name by which it is asked, beside its addresses (may be repeated)",
      (name: string, before: readonly string[] = []) => [...before, hostName(name)],
    );
}

/** Undefined for none. Ends the command with a usage error where others could ask without a token. Throws SECRET_MISSING for one that is none. */
export function httpAccess(
  command: Command,
  flags: HttpFlags,
  env: Readonly<Record<string, string | undefined>>,
): HttpAccess | undefined {
  if (flags.http === false) return undefined;
  const address = typeof flags.http === "object" ? flags.http : DEFAULT_ADDRESS;
  const token = tokenOf(flags.httpTokenEnv, env);
  if (token === null && !isLoopbackHost(address.host)) {
    command.error(
      `error: --http ${address.host}:${address.port} would answer other hosts without a token: set ${TOKEN_ENV} to one ` +
        "(such as: openssl rand -hex 32), or name its variable with --http-token-env",
      { exitCode: 2 },
    );
  }
  return { address, token, hostNames: flags.httpHost ?? [] };
}

function tokenOf(name: string | undefined, env: Readonly<Record<string, string | undefined>>): string | null {
  const variable = name ?? TOKEN_ENV;
  const token = env[variable] ?? "";
  if (token === "" && name === undefined) return null;
  if (token === "") throw new LoadError("SECRET_MISSING", `the environment variable ${variable} is not set`);
  const hint = "letters and digits are best: openssl rand -hex 32";
  if (!/^[\x21-\x7e]+$/.test(token)) {
    const message = `the token in ${variable} has characters that no HTTP header may carry`;
    throw new LoadError("SECRET_MISSING", message, { hint });
  }
  if (token.length >= SHORTEST_TOKEN) return token;
  const message = `the token in ${variable} has fewer than ${SHORTEST_TOKEN} characters`;
  throw new LoadError("SECRET_MISSING", message, { hint });
}

/** `7373`, `0.0.0.0:7373`, `[::1]:7373`; a name could lead anywhere, so only localhost is one. */
export function httpAddress(text: string): ApiAddress {
  const [, six, other, digits] = /^(?:(?:\[([^\]]+)\]|([^:]*)):)?(\d{1,5})$/.exec(text) ?? [];
  const port = Number(digits);
  if (digits === undefined || port > 65_535) {
    throw new InvalidArgumentError("write PORT or HOST:PORT, such as 7373 or 0.0.0.0:7373.");
  }
  const host = six ?? other ?? "";
  if (host === "" || host === "localhost") return { host: DEFAULT_ADDRESS.host, port, orAnyPort: false };
  if (isIP(host) === (six === undefined ? 4 : 6)) return { host, port, orAnyPort: false };
  throw new InvalidArgumentError("the host must be an address of this machine, such as 0.0.0.0 or [::].");
}

function hostName(text: string): string {
  if (/^[A-Za-z0-9._-]{1,253}$/.test(text) || isIP(text) !== 0) return text;
  throw new InvalidArgumentError("write a host's name without a port, such as load.example.org.");
}
