import { LoadError } from "@tokenstorm/core";
import { type NatsOptions, natsOptionsFromEnv } from "@tokenstorm/protocol/nats";
import type { Command } from "commander";

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
  readonly natsInbox?: string;
  readonly subjectPrefix?: string;
}

/** How to reach NATS, and who to be there. */
export type NatsAccess = Omit<NatsOptions, "name" | "role">;

type Environment = Readonly<Record<string, string | undefined>>;

/** Flag, its key in `NatsFlags`, and what it means; the environment's name is that of the NATS command line. */
const FLAGS: readonly (readonly [flag: string, key: keyof NatsFlags, description: string])[] = [
  ["--nats <url>", "nats", "NATS server, or several by commas (NATS_URL)"],
  ["--nats-user <name>", "natsUser", "user (NATS_USER; its password: NATS_PASSWORD)"],
  ["--nats-password-env <name>", "natsPasswordEnv", "environment variable with the user's password"],
  ["--nats-token <token>", "natsToken", "token (NATS_TOKEN)"],
  ["--nats-creds <file>", "natsCreds", "credentials file (NATS_CREDS)"],
  ["--nats-nkey <file>", "natsNkey", "file with an nkey seed (NATS_NKEY)"],
  ["--nats-tlsca <file>", "natsTlsca", "authorities to trust (NATS_CA)"],
  ["--nats-tlscert <file>", "natsTlscert", "client certificate (NATS_CERT)"],
  ["--nats-tlskey <file>", "natsTlskey", "key of the client certificate (NATS_KEY)"],
  ["--nats-inbox <prefix>", "natsInbox", "first word of the subjects of answers (NATS_INBOX_PREFIX)"],
  ["--subject-prefix <word>", "subjectPrefix", "first word of every subject; ts by default"],
];

export function addNatsFlags(command: Command): Command {
  for (const [flag, , description] of FLAGS) command.option(flag, description);
  return command;
}

/** Flags win over the environment. Undefined where neither names a server. Throws SECRET_MISSING. */
export function natsAccess(flags: NatsFlags, env: Environment): NatsAccess | undefined {
  const named = natsOptionsFromEnv(env);
  const servers =
    flags.nats === undefined
      ? named.servers
      : flags.nats
          .split(",")
          .map((url) => url.trim())
          .filter((url) => url !== "");
  if (servers.length === 0) return undefined;
  const caFile = flags.natsTlsca ?? named.tls?.caFile;
  const certFile = flags.natsTlscert ?? named.tls?.certFile;
  const keyFile = flags.natsTlskey ?? named.tls?.keyFile;
  const usesTls = caFile !== undefined || certFile !== undefined || keyFile !== undefined;
  return {
    servers,
    user: flags.natsUser ?? named.user,
    password: passwordOf(flags, env) ?? named.password,
    token: flags.natsToken ?? named.token,
    credsFile: flags.natsCreds ?? named.credsFile,
    nkeyFile: flags.natsNkey ?? named.nkeyFile,
    ...(usesTls ? { tls: { caFile, certFile, keyFile } } : {}),
    inboxPrefix: flags.natsInbox ?? named.inboxPrefix,
    prefix: flags.subjectPrefix,
  };
}

/** For a command that cannot do without: wrong use where nothing names a server. */
export function requireNats(command: Command, flags: NatsFlags, env: Environment): NatsAccess {
  const access = natsAccess(flags, env);
  if (access !== undefined) return access;
  return command.error("error: no NATS server is named: give --nats URL, or set NATS_URL", { exitCode: 2 });
}

/** Names of the variables and files by which this process is let in to NATS: nobody else may have what is in them. */
export function natsSecrets(flags: NatsFlags, access: NatsAccess): string[] {
  return [flags.natsPasswordEnv, access.credsFile, access.nkeyFile, access.tls?.keyFile].filter(
    (name) => name !== undefined,
  );
}

function passwordOf(flags: NatsFlags, env: Environment): string | undefined {
  const name = flags.natsPasswordEnv;
  if (name === undefined) return undefined;
  const value = env[name];
  if (value !== undefined) return value;
  throw new LoadError("SECRET_MISSING", `the environment variable ${name} (--nats-password-env) is not set`);
}

/** Flags whose values may hold a secret, and the variables that stand for them. */
const SECRET_FLAGS = { nats: "NATS_URL", natsToken: "NATS_TOKEN" } as const;

/**
 * The same access for a child process. What is or may be secret (a password stands before the @ of an address) travels
 * in its environment: every user of the host can read command lines.
 */
export function childAccess(flags: NatsFlags): { args: string[]; env: Record<string, string> } {
  const args = FLAGS.flatMap(([flag, key]) => {
    const value = flags[key];
    return value === undefined || key in SECRET_FLAGS ? [] : [flag.split(" ")[0] ?? flag, value];
  });
  const { nats, natsToken } = flags;
  return {
    args,
    env: {
      ...(nats === undefined ? {} : { [SECRET_FLAGS.nats]: nats }),
      ...(natsToken === undefined ? {} : { [SECRET_FLAGS.natsToken]: natsToken }),
    },
  };
}
