import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import {
  LoadError,
  type PublishedSeries,
  parsePublished,
  planFilesOf,
  requireStudy,
  STUDY_MODES,
  type Study,
} from "@tokenstorm/core";
import { canonicalJson } from "@tokenstorm/protocol";
import { readPlanFile, reasonOf } from "../plan-file.js";
import { parseYaml } from "../yaml-text.js";

/** A study file is some pages, not a data set. */
const MOST_BYTES = 4 * 1024 * 1024;
/** Pinned files are tables. */
const MOST_PINNED_BYTES = 256 * 1024 * 1024;

export interface LoadedStudy {
  readonly study: Study;
  /** As it was named, for people. */
  readonly path: string;
  /** The study file as it stands, for the study's directory. */
  readonly text: string;
  /** Folder of the study file: hooks run in it, and paths begin there. */
  readonly folder: string;
  /** SHA-256 of what study file and plans say, whatever their spelling, hex. */
  readonly digest: string;
  readonly published: readonly PublishedSeries[];
}

/** Reads and checks a study file with all that it names. Throws PLAN_INVALID, PLAN_UNSUPPORTED_VERSION, DATASET_INVALID. */
export async function loadStudy(path: string): Promise<LoadedStudy> {
  const folder = dirname(resolve(path));
  const text = (await readBytes(path, MOST_BYTES, "the study file")).toString("utf8");
  const input = parseYaml(text, path);
  const planFiles = new Map<string, unknown>();
  for (const file of planFilesOf(input)) planFiles.set(file, await readPlanFile(resolve(folder, file)));
  const study = requireStudy(input, planFiles);
  const pinned = new Map<string, Buffer>();
  const { publishedRows, inputs } = study.file;
  for (const pin of [...(publishedRows === undefined ? [] : [publishedRows]), ...inputs]) {
    pinned.set(pin.file, await readPinned(resolve(folder, pin.file), pin));
  }
  const rows = publishedRows === undefined ? undefined : pinned.get(publishedRows.file)?.toString("utf8");
  const published = rows === undefined ? [] : parsePublished(parseYaml(rows, publishedRows?.file ?? ""));
  checkSeries(study, published);
  const said = canonicalJson({ file: study.file, planFiles: Object.fromEntries(planFiles) });
  return { study, path, text, folder, digest: sha256(said), published };
}

/** A pinned file that is another one would put other figures beside ours, or under them. */
async function readPinned(
  path: string,
  pin: { readonly file: string; readonly sha256: string },
): Promise<Buffer> {
  const bytes = await readBytes(path, MOST_PINNED_BYTES, "the pinned file");
  const found = sha256(bytes);
  if (found === pin.sha256) return bytes;
  throw new LoadError(
    "DATASET_INVALID",
    `the pinned file ${pin.file} is not what the study was written with: its SHA-256 is ${found}, not ${pin.sha256}`,
    { hint: "bring the file back, or look at what changed and pin it anew: that is another study" },
  );
}

function checkSeries({ file }: Study, published: readonly PublishedSeries[]): void {
  const known = published.map(({ id }) => id);
  for (const suite of file.suites) {
    const named = [suite.published, ...STUDY_MODES.map((mode) => suite.modes[mode]?.published ?? {})];
    const missing = named.flatMap((one) => Object.values(one)).find((id) => !known.includes(id));
    if (missing === undefined) continue;
    throw new LoadError(
      "PLAN_INVALID",
      `the study file is invalid: suite ${suite.name} names the series "${missing}", which ${file.publishedRows?.file ?? ""} does not have`,
      { hint: `there are ${known.join(", ")}` },
    );
  }
}

async function readBytes(path: string, most: number, what: string): Promise<Buffer> {
  let bytes: Buffer;
  try {
    bytes = await readFile(path);
  } catch (cause) {
    throw new LoadError("PLAN_INVALID", `${what} ${path} cannot be read: ${reasonOf(cause)}`, { cause });
  }
  if (bytes.length <= most) return bytes;
  throw new LoadError("PLAN_INVALID", `${what} ${path} has ${bytes.length} bytes, more than ${most}`);
}

function sha256(data: string | Buffer): string {
  return createHash("sha256").update(data).digest("hex");
}
