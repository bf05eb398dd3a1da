import { type Command, InvalidArgumentError } from "commander";

/** Which variables and files of this host plans may name for a key. */
export interface AllowSecretFlags {
  readonly allowSecret?: readonly string[];
}

/** The same by commas. */
export const ALLOW_SECRET_ENV = "TOKENSTORM_ALLOW_SECRET";

export function addAllowSecretFlag(command: Command): Command {
  return command.option(
    "--allow-secret <name|file>",
    `what plans may name as a target's key: a variable, or the path of a file; may be repeated; without one, ` +
      `anything but what lets this agent in to NATS (${ALLOW_SECRET_ENV}, by commas)`,
    collect,
  );
}

/** Flags win over the environment. */
export function allowedSecrets(
  flags: AllowSecretFlags,
  env: Readonly<Record<string, string | undefined>>,
): readonly string[] {
  if (flags.allowSecret !== undefined) return flags.allowSecret;
  return (env[ALLOW_SECRET_ENV] ?? "")
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "");
}

/** For a child process. */
export function allowSecretArgs(names: readonly string[]): string[] {
  return names.flatMap((name) => ["--allow-secret", name]);
}

function collect(text: string, before: readonly string[] = []): readonly string[] {
  if (/^[A-Za-z_][A-Za-z0-9_]*$/.test(text) || text.startsWith("/")) return [...before, text];
  throw new InvalidArgumentError("it is neither the name of a variable nor the whole path of a file.");
}
