import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { LoadError, type RunEvidence, type Side } from "@tokenstorm/core";
import { z } from "zod";
import { reasonOf } from "./plan-file.js";
import { findLocalRun } from "./run-directory.js";
import { evidenceFromDirectory } from "./run-files.js";

export interface SidesOptions {
  /** Names of each side; several are its repeats. */
  readonly named: readonly (readonly string[])[];
  /** Folder of the run directories. */
  readonly out: string;
  /** Of a study's directory. */
  readonly suite: string | undefined;
}

/** A side with where its runs lie. */
interface Named {
  readonly name: string | undefined;
  readonly directories: readonly string[];
}

/**
 * Reads the runs of each side. A study's directory alone stands for its conditions, one a side; among others for the runs of its only
 * condition. Throws RUN_UNKNOWN and RESULTS_UNREADABLE.
 */
export async function readSides({ named, out, suite }: SidesOptions): Promise<Side[]> {
  const [first] = named;
  const alone = named.length === 1 && first?.length === 1 ? first[0] : undefined;
  const found =
    alone === undefined
      ? await Promise.all(named.map((names) => sideOf(names, { out, suite })))
      : await conditionsOf(alone, suite);
  const sides: Side[] = [];
  for (const [i, { name, directories }] of found.entries()) {
    const runs: RunEvidence[] = [];
    // One after the other: a run's intervals are large while they are folded.
    for (const directory of directories) runs.push(await evidenceFromDirectory(directory));
    const label = String.fromCharCode("A".charCodeAt(0) + i);
    sides.push({ label, runs, ...(name === undefined ? {} : { name }) });
  }
  return sides;
}

async function sideOf(
  names: readonly string[],
  { out, suite }: Pick<SidesOptions, "out" | "suite">,
): Promise<Named> {
  const directories: string[] = [];
  for (const name of names) {
    if (isStudy(name)) {
      const [only, ...others] = await conditionsOf(name, suite);
      if (only === undefined || others.length > 0) {
        throw new LoadError(
          "RUN_UNKNOWN",
          `the study in ${name} has ${others.length + 1} conditions, and a side is one`,
          {
            hint: "name it alone to compare its conditions, or name the runs in it",
          },
        );
      }
      directories.push(...only.directories);
      continue;
    }
    const local = await findLocalRun(name, out);
    if (local === undefined) {
      throw new LoadError("RUN_UNKNOWN", `there is no run ${name} in ${out}`, {
        hint: "tokenstorm runs lists them; --out names another folder, and a path of a run or study directory will do too",
      });
    }
    directories.push(local.directory);
  }
  return { name: undefined, directories };
}

const reportFile = (directory: string): string => join(directory, "study-report.json");
const isStudy = (directory: string): boolean => existsSync(reportFile(directory));

/** What is needed of a study's report. */
const StudyRuns = z.object({
  schemaVersion: z.literal(1),
  suites: z.array(
    z.object({
      name: z.string(),
      cells: z.array(
        z.object({
          condition: z.string(),
          runs: z.array(z.object({ directory: z.string(), state: z.string() })),
        }),
      ),
    }),
  ),
});

/** The conditions of one suite, each with its completed runs. */
async function conditionsOf(directory: string, suite: string | undefined): Promise<Named[]> {
  if (!isStudy(directory)) {
    throw new LoadError(
      "RUN_UNKNOWN",
      `${directory} is no study's directory, and one run has nothing beside it`,
      {
        hint: "name two runs, or the directory of a study that has its report (study-report.json)",
      },
    );
  }
  const { suites } = await readStudy(reportFile(directory));
  const chosen =
    suite === undefined && suites.length === 1 ? suites[0] : suites.find(({ name }) => name === suite);
  if (chosen === undefined) {
    const names = suites.map(({ name }) => name).join(", ");
    const what = suite === undefined ? `has ${suites.length} suites` : `has no suite ${suite}`;
    throw new LoadError("RUN_UNKNOWN", `the study in ${directory} ${what}: ${names}`, {
      hint: "say which with --suite NAME",
    });
  }
  const conditions = chosen.cells.map(({ condition, runs }) => ({
    name: condition,
    directories: runs
      .filter(({ state }) => state === "completed")
      .map((run) => join(directory, "runs", basename(run.directory))),
  }));
  const empty = conditions.find(({ directories }) => directories.length === 0);
  if (empty === undefined && conditions.length > 0) return conditions;
  throw new LoadError(
    "RUN_UNKNOWN",
    `the study in ${directory} has no completed run of ${empty?.name ?? chosen.name}`,
  );
}

async function readStudy(file: string): Promise<z.output<typeof StudyRuns>> {
  let value: unknown;
  try {
    value = JSON.parse(await readFile(file, "utf8"));
  } catch (cause) {
    throw new LoadError("RESULTS_UNREADABLE", `${file} cannot be read: ${reasonOf(cause)}`, { cause });
  }
  const checked = StudyRuns.safeParse(value);
  if (checked.success) return checked.data;
  const [issue] = checked.error.issues;
  throw new LoadError(
    "RESULTS_UNREADABLE",
    `${file} cannot be read: ${issue?.path.join(".")}: ${issue?.message}`,
  );
}
