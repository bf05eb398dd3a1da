import { constants, existsSync } from "node:fs";
import { access, mkdir, readdir, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { LoadError } from "@tokenstorm/core";
import { reasonOf } from "./plan-file.js";

/** Where runs are kept and looked for unless `--out` names another folder; the image names one of its own. */
export const DEFAULT_OUT = process.env["TOKENSTORM_OUT"] || "runs";

/** Names of runs that were made to prove another one end so. */
export const PROOF_NAME_END = "-prove";

/** A run directory found on this host. */
export interface LocalRun {
  readonly directory: string;
  /** Its name's last part; the names are `<date>-<name>-<id>`. */
  readonly id: string;
}

/** Makes the folder of the run directories, and sees that it can be written. Throws RESULTS_UNREADABLE naming it. */
export async function makeOutFolder(out: string): Promise<void> {
  try {
    await makeFolder(resolve(out));
    await access(out, constants.W_OK | constants.X_OK);
  } catch (cause) {
    throw new LoadError("RESULTS_UNREADABLE", `results cannot be written to ${out}: ${reasonOf(cause)}`, {
      hint: "name another folder with --out",
      cause,
    });
  }
}

/**
 * The folder and those above it. Not by mkdir's own `recursive`: below /proc, which exists and takes no folder, Node 20
 * tries for ever.
 */
export async function makeFolder(path: string, mode = 0o777): Promise<void> {
  if (existsSync(path)) return;
  const parent = dirname(path);
  if (parent !== path) await makeFolder(parent);
  await mkdir(path, { mode }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "EEXIST") throw error;
  });
}

/** Every run directory in `out`, newest first. Empty where the folder is not there. */
export async function listLocalRuns(out: string): Promise<LocalRun[]> {
  let names: string[];
  try {
    names = await readdir(out);
  } catch (cause) {
    if (!existsSync(out)) return [];
    throw new LoadError("RESULTS_UNREADABLE", `the folder ${out} cannot be read: ${reasonOf(cause)}`, {
      cause,
    });
  }
  const found = names.map((name) => join(out, name)).filter(isRunDirectory);
  const dated = await Promise.all(
    found.map(async (directory) => ({ directory, at: (await stat(mainFile(directory))).mtimeMs })),
  );
  return dated
    .sort((a, b) => compareNames(b.directory, a.directory) || b.at - a.at)
    .map(({ directory }) => ({ directory, id: idOf(directory) }));
}

/**
 * The run that a person named: a path, an id, the beginning of an id or of a directory's name; the latest where nothing
 * was named, but for those that prove another. Undefined where none fits. Throws RUN_UNKNOWN where several fit.
 */
export async function findLocalRun(named: string | undefined, out: string): Promise<LocalRun | undefined> {
  if (named !== undefined && isRunDirectory(named)) {
    const directory = resolve(named);
    return { directory: named, id: idOf(directory) };
  }
  const runs = await listLocalRuns(out);
  if (named === undefined) return runs.find(({ directory }) => !isProof(directory)) ?? runs[0];
  const exact = runs.find((run) => run.id === named || basename(run.directory) === named);
  if (exact !== undefined) return exact;
  const fitting = runs.filter((run) => run.id.startsWith(named) || basename(run.directory).startsWith(named));
  if (fitting.length < 2) return fitting[0];
  const names = fitting
    .slice(0, 5)
    .map((run) => run.id)
    .join(", ");
  throw new LoadError("RUN_UNKNOWN", `${fitting.length} runs in ${out} begin with "${named}": ${names}`, {
    hint: "write more of the id",
  });
}

const isProof = (directory: string): boolean =>
  basename(directory)
    .slice(0, -idOf(directory).length - 1)
    .endsWith(PROOF_NAME_END);

/** A run's own directory, or one with nothing but a report kept from a cluster. */
const mainFile = (directory: string): string => {
  const facts = join(directory, "run.json");
  return existsSync(facts) ? facts : join(directory, "report.json");
};

const isRunDirectory = (directory: string): boolean => existsSync(mainFile(directory));

const idOf = (directory: string): string => basename(directory).split("-").at(-1) ?? "";

/** The names begin with a date, so that their order is that of time. */
function compareNames(a: string, b: string): number {
  const dateOf = (path: string) => /^\d{4}-?\d{2}-?\d{2}[^-]*(?:-\d{6})?/.exec(basename(path))?.[0] ?? "";
  return dateOf(a) < dateOf(b) ? -1 : dateOf(a) > dateOf(b) ? 1 : 0;
}
