import { randomBytes } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { LoadError } from "@tokenstorm/core";
import type { NatsRole } from "@tokenstorm/protocol/nats";
import { reasonOf } from "../plan-file.js";
import { makeFolder } from "../run-directory.js";

export const CLUSTER_ROLES = [
  "coordinator",
  "agent",
  "operator",
  "viewer",
] as const satisfies readonly NatsRole[];
export type ClusterPasswords = Readonly<Record<NatsRole, string>>;

const FILE = "passwords.json";
/** 144 bits, in letters that need no quoting in a URL or a shell. */
const PASSWORD_BYTES = 18;

/**
 * The password of each role's user: made once, kept in a file that only its owner may read, so that lines which were
 * pasted once hold after a restart. Deleting the file makes new ones. Throws RESULTS_UNREADABLE naming it.
 */
export async function clusterPasswords(dataDir: string): Promise<ClusterPasswords> {
  const file = join(dataDir, FILE);
  const kept = await readKept(file);
  if (kept !== undefined) return kept;
  const password = () => randomBytes(PASSWORD_BYTES).toString("base64url");
  const made = { coordinator: password(), agent: password(), operator: password(), viewer: password() };
  try {
    await makeFolder(resolve(dataDir), 0o700);
    await writeFile(file, `${JSON.stringify(made, null, 2)}\n`, { mode: 0o600, flag: "wx" });
  } catch (cause) {
    throw unusable(file, `it cannot be written: ${reasonOf(cause)}`, cause);
  }
  return made;
}

async function readKept(file: string): Promise<ClusterPasswords | undefined> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (cause) {
    if (cause instanceof Error && "code" in cause && cause.code === "ENOENT") return undefined;
    throw unusable(file, `it cannot be read: ${reasonOf(cause)}`, cause);
  }
  const kept = parsed(text);
  if (kept === undefined) throw unusable(file, "it holds no password for each of the four roles");
  return kept;
}

function parsed(text: string): ClusterPasswords | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== "object" || value === null) return undefined;
  const entries: Readonly<Record<string, unknown>> = { ...value };
  const [coordinator, agent, operator, viewer] = CLUSTER_ROLES.map((role) => entries[role]);
  if (!isPassword(coordinator) || !isPassword(agent) || !isPassword(operator) || !isPassword(viewer))
    return undefined;
  return { coordinator, agent, operator, viewer };
}

/** A person may write one; what a URL or a shell would read otherwise is refused. */
const isPassword = (value: unknown): value is string =>
  typeof value === "string" && /^[A-Za-z0-9._~-]{8,256}$/.test(value);

function unusable(file: string, problem: string, cause?: unknown): LoadError {
  return new LoadError("RESULTS_UNREADABLE", `the passwords in ${file} cannot be used: ${problem}`, {
    hint: "delete the file, and new passwords are made; or name another folder with --data",
    cause,
  });
}
