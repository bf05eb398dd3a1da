import { execFile } from "node:child_process";
import { access, constants, readdir } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { LoadError } from "@tokenstorm/core";

export interface FoundNatsServer {
  readonly bin: string;
  /** Such as 2.10.27. */
  readonly version: string;
}

/** Put in place of this name by scripts/bundle.sh, in the single file alone; nothing defines it elsewhere. */
declare const TOKENSTORM_SINGLE_FILE_VERSION: string;

/**
 * Where scripts/get-nats-server.sh keeps what it fetched; an installed package has no such folder. The single file has
 * no place of its own: four folders above it is anybody's, and nothing there may be run.
 */
const CACHE_DIR =
  typeof TOKENSTORM_SINGLE_FILE_VERSION === "string"
    ? undefined
    : fileURLToPath(new URL("../../../../.cache", import.meta.url));
/** Where packages of distributions put servers, outside the PATH of ordinary users. */
const SYSTEM_DIRS = ["/usr/local/sbin", "/usr/sbin"];
const VERSION_LIMIT_MS = 5000;

/**
 * A nats-server of this machine, 2.9 or newer: NATS_SERVER_BIN, one in PATH, the newest of the project's cache. Throws
 * BUS_UNAVAILABLE when NATS_SERVER_BIN names something else.
 */
export async function findNatsServer(
  env: Readonly<Record<string, string | undefined>>,
  options: { readonly cacheDir?: string } = {},
): Promise<FoundNatsServer | undefined> {
  const named = env["NATS_SERVER_BIN"];
  if (named !== undefined && named !== "") {
    const version = await versionOf(named);
    if (version !== undefined) return { bin: named, version };
    throw new LoadError(
      "BUS_UNAVAILABLE",
      `NATS_SERVER_BIN=${named} is no nats-server 2.9 or newer that runs here`,
    );
  }
  const inPath = [...(env["PATH"] ?? "").split(delimiter).filter((dir) => dir !== ""), ...SYSTEM_DIRS];
  for (const bin of [
    ...inPath.map((dir) => join(dir, "nats-server")),
    ...(await cached(options.cacheDir ?? CACHE_DIR)),
  ]) {
    if (!(await isThere(bin))) continue;
    const version = await versionOf(bin);
    if (version !== undefined) return { bin, version };
  }
  return undefined;
}

/** Asked first: to start what is not there costs a fork for each folder of PATH, a tenth of a second in all. */
async function isThere(bin: string): Promise<boolean> {
  return access(bin, constants.X_OK).then(
    () => true,
    () => false,
  );
}

/** `<cache>/nats-server/<version>/nats-server`, newest first. */
async function cached(cacheDir: string | undefined): Promise<string[]> {
  if (cacheDir === undefined) return [];
  const folder = join(cacheDir, "nats-server");
  const names = await readdir(folder).catch(() => []);
  return names
    .filter((name) => /^\d+\.\d+\.\d+$/.test(name))
    .sort((a, b) => b.localeCompare(a, "en", { numeric: true }))
    .map((name) => join(folder, name, "nats-server"));
}

async function versionOf(bin: string): Promise<string | undefined> {
  try {
    const { stdout } = await promisify(execFile)(bin, ["--version"], { timeout: VERSION_LIMIT_MS });
    const [, version, major, minor] = /v?((\d+)\.(\d+)\.\d+)/.exec(stdout) ?? [];
    if (version === undefined || !stdout.includes("nats-server")) return undefined;
    return Number(major) > 2 || (Number(major) === 2 && Number(minor) >= 9) ? version : undefined;
  } catch {
    return undefined;
  }
}
