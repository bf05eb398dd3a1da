import { randomUUID } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { rename, rm, writeFile } from "node:fs/promises";
import { cpus, homedir, hostname } from "node:os";
import { dirname, join, resolve } from "node:path";
import { type Capacity, LoadError } from "@tokenstorm/core";
import { VERSION } from "../packaging.js";
import { makeFolder } from "../run-directory.js";
import { type Calibration, CalibrationFile, MOST_HOSTS } from "./calibration-schema.js";

export const CALIBRATION_ENV = "TOKENSTORM_CALIBRATION";

/** A file of a thousand hosts has about twenty megabytes. */
const MOST_BYTES = 64 * 1024 * 1024;

/** What a calibration holds for: on another host, CPU, Node.js or version of ours it is another figure. */
export type HostKey = Pick<Calibration, "host" | "cpu" | "nodeMajor" | "version">;

export function hostKey(): HostKey {
  return {
    host: hostname(),
    cpu: (cpus()[0]?.model ?? "").trim(),
    nodeMajor: Number(process.versions.node.split(".")[0]),
    version: VERSION,
  };
}

/** What was asked for, else by the variable, else where the system keeps what programs find out. */
export function calibrationPath(
  env: Readonly<Record<string, string | undefined>>,
  asked: string | undefined = undefined,
): string {
  const named = asked ?? env[CALIBRATION_ENV];
  if (named !== undefined && named !== "") return resolve(named);
  const state = env["XDG_STATE_HOME"];
  const folder = state === undefined || state === "" ? join(env["HOME"] ?? homedir(), ".local/state") : state;
  return join(folder, "tokenstorm/calibration.json");
}

export interface KnownCapacity {
  readonly capacity: Capacity | undefined;
  /** Why there is none, where there could have been one. */
  readonly note: string | null;
}

/** What this host carries, by its calibration. A file that is broken or of other hosts is passed over with a line. */
export function knownCapacity(file: string, key: HostKey = hostKey()): KnownCapacity {
  const read = readCalibrations(file);
  if (read.kind === "none") return { capacity: undefined, note: null };
  const again = "tokenstorm calibrate makes one";
  if (read.kind === "broken") {
    const note = `the calibration in ${file} is passed over: ${read.why}; ${again}`;
    return { capacity: undefined, note };
  }
  const own = read.hosts.find((one) => isSameKey(one, key));
  if (own !== undefined) return { capacity: own.capacity, note: null };
  const other = read.hosts.findLast((one) => one.host === key.host);
  const why =
    other === undefined
      ? `it is of other hosts than ${key.host}`
      : `it was made on ${keyText(other)}, and this is ${keyText(key)}`;
  return { capacity: undefined, note: `the calibration in ${file} is passed over: ${why}; ${again}` };
}

/**
 * Puts a calibration beside those of other hosts (and of this one under another version), in the place of an earlier one. Whole or not at all: by another
 * file that takes its name. A broken file is replaced. Throws LoadError naming the file and why it cannot be written.
 */
export async function storeCalibration(file: string, calibration: Calibration): Promise<void> {
  const read = readCalibrations(file);
  const others = read.kind === "read" ? read.hosts.filter((one) => !isSameKey(one, calibration)) : [];
  const content: CalibrationFile = {
    schemaVersion: 1,
    hosts: [...others.slice(-(MOST_HOSTS - 1)), calibration],
  };
  const fresh = `${file}.${randomUUID()}`;
  try {
    await makeFolder(dirname(file));
    await writeFile(fresh, `${JSON.stringify(content, null, 1)}\n`, { mode: 0o644 });
    await rename(fresh, file);
  } catch (cause) {
    await rm(fresh, { force: true }).catch(() => undefined);
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new LoadError("RESULTS_UNREADABLE", `the calibration could not be stored in ${file}: ${why}`, {
      hint: `name a file that can be written: --file FILE, or ${CALIBRATION_ENV}`,
      cause,
    });
  }
}

type ReadCalibrations =
  | { readonly kind: "none" }
  | { readonly kind: "broken"; readonly why: string }
  | { readonly kind: "read"; readonly hosts: readonly Calibration[] };

function readCalibrations(file: string): ReadCalibrations {
  try {
    const { size } = statSync(file);
    if (size > MOST_BYTES) return { kind: "broken", why: `it has ${size} bytes` };
    const parsed = CalibrationFile.safeParse(JSON.parse(readFileSync(file, "utf8")));
    if (parsed.success) return { kind: "read", hosts: parsed.data.hosts };
    const [issue] = parsed.error.issues;
    return { kind: "broken", why: `${issue?.path.join(".") || "it"}: ${issue?.message ?? "is wrong"}` };
  } catch (error) {
    if (error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ENOTDIR"))
      return { kind: "none" };
    return { kind: "broken", why: error instanceof Error ? error.message : String(error) };
  }
}

function isSameKey(one: HostKey, other: HostKey): boolean {
  return keyText(one) === keyText(other) && one.host === other.host;
}

const keyText = ({ cpu, nodeMajor, version }: HostKey): string =>
  `${cpu}, Node.js ${nodeMajor}, tokenstorm ${version}`;
