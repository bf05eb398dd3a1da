import { readFile } from "node:fs/promises";
import { LoadError } from "@tokenstorm/core";
import type { Command } from "commander";
import { reasonOf } from "./plan-file.js";

/** As commander hands them over: the flags of every command that talks to NATS. */
export interface NatsFlags {
  readonly nats?: string;
  readonly natsUser?: string;
  readonly natsPasswordEnv?: string;
  readonly natsToken?: string;
  readonly natsCreds?: string;
  readonly natsNkey?: string;
  readonly natsTlsca?: string;
  readonly natsTlscert?: string;
  readonly natsTlskey?: string;
  readonly natsPrefix?: string;
}

/** How to reach NATS and who to be there; files are read, secrets resolved. */
export interface NatsAccess {
  readonly servers: readonly string[];
  readonly user?: string;
  readonly password?: string;
  readonly token?: string;
  readonly creds?: string;
  readonly nkeySeed?: string;
  readonly tls?: { readonly ca?: string; readonly cert?: string; readonly key?: string };
  readonly prefix?: string;
}

const FLAGS: readonly (readonly [flag: string, description: string])[] = [
  ["--nats <url>", "NATS server, or several by commas (NATS_URL)"],
  ["--nats-user <name>", "user (NATS_USER; its password: NATS_PASSWORD)"],
  ["--nats-password-env <name>", "environment variable with the user's password"],
  ["--nats-token <token>", "token (NATS_TOKEN)"],
  ["--nats-creds <file>", "credentials file (NATS_CREDS)"],
  ["--nats-nkey <file>", "file with an nkey seed (NATS_NKEY)"],
  ["--nats-tlsca <file>", "authorities to trust (NATS_CA)"],
  ["--nats-tlscert <file>", "client certificate (NATS_CERT)"],
  ["--nats-tlskey <file>", "key of the client certificate (NATS_KEY)"],
  ["--nats-prefix <word>", "first word of every subject; ts by default"],
];

export function addNatsFlags(command: Command): Command {
  for (const [flag, description] of FLAGS) command.option(flag, description);
  return command;
}

/** Undefined where neither a flag nor the environment names a server. */
export async function natsAccess(
  flags: NatsFlags,
  env: Readonly<Record<string, string | undefined>>,
): Promise<NatsAccess | undefined> {
  const named = flags.nats ?? env["NATS_URL"];
  if (named === undefined || named.trim() === "") return undefined;
  const user = flags.natsUser ?? env["NATS_USER"];
  const password = resolvePassword(flags, env);
  const token = flags.natsToken ?? env["NATS_TOKEN"];
  const creds = flags.natsCreds ?? env["NATS_CREDS"];
  const nkey = flags.natsNkey ?? env["NATS_NKEY"];
  const tls = await resolveTls(flags, env);
  return {
    servers: named.split(",").map((url) => url.trim()),
    ...(user === undefined ? {} : { user }),
    ...(password === undefined ? {} : { password }),
    ...(token === undefined ? {} : { token }),
    ...(creds === undefined ? {} : { creds: await readSecret("--nats-creds", creds) }),
    ...(nkey === undefined ? {} : { nkeySeed: (await readSecret("--nats-nkey", nkey)).trim() }),
    ...(tls === undefined ? {} : { tls }),
    ...(flags.natsPrefix === undefined ? {} : { prefix: flags.natsPrefix }),
  };
}

function resolvePassword(
  flags: NatsFlags,
  env: Readonly<Record<string, string | undefined>>,
): string | undefined {
  const name = flags.natsPasswordEnv;
  if (name === undefined) return env["NATS_PASSWORD"];
  const value = env[name];
  if (value === undefined) {
    throw new LoadError(
      "SECRET_MISSING",
      `the environment variable ${name} (--nats-password-env) is not set`,
    );
  }
  return value;
}

async function resolveTls(
  flags: NatsFlags,
  env: Readonly<Record<string, string | undefined>>,
): Promise<NatsAccess["tls"]> {
  const ca = flags.natsTlsca ?? env["NATS_CA"];
  const cert = flags.natsTlscert ?? env["NATS_CERT"];
  const key = flags.natsTlskey ?? env["NATS_KEY"];
  if (ca === undefined && cert === undefined && key === undefined) return undefined;
  return {
    ...(ca === undefined ? {} : { ca: await readSecret("--nats-tlsca", ca) }),
    ...(cert === undefined ? {} : { cert: await readSecret("--nats-tlscert", cert) }),
    ...(key === undefined ? {} : { key: await readSecret("--nats-tlskey", key) }),
  };
}

async function readSecret(flag: string, path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    throw new LoadError("SECRET_MISSING", `the file ${path} (${flag}) cannot be read: ${reasonOf(cause)}`, {
      cause,
    });
  }
}

/** For a child process: the same access, by the same words. Passwords travel in the environment only. */
export function childNatsArguments(flags: NatsFlags): string[] {
  const pairs: readonly (readonly [string, string | undefined])[] = [
    ["--nats", flags.nats],
    ["--nats-user", flags.natsUser],
    ["--nats-password-env", flags.natsPasswordEnv],
    ["--nats-creds", flags.natsCreds],
    ["--nats-nkey", flags.natsNkey],
    ["--nats-tlsca", flags.natsTlsca],
    ["--nats-tlscert", flags.natsTlscert],
    ["--nats-tlskey", flags.natsTlskey],
    ["--nats-prefix", flags.natsPrefix],
  ];
  return pairs.flatMap(([flag, value]) => (value === undefined ? [] : [flag, value]));
}

/** What of the access must not stand on a child's command line. */
export function childNatsEnvironment(flags: NatsFlags): Record<string, string> {
  return flags.natsToken === undefined ? {} : { NATS_TOKEN: flags.natsToken };
}
