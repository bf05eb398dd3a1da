import { readFileSync } from "node:fs";
import { join } from "node:path";
import {
  requireStudy,
  STUDY_MODES,
  type Study,
  type StudyMode,
  type StudySuite,
  studyPlan,
  type TestPlan,
} from "@tokenstorm/core";
import { parse } from "yaml";
import { DATA_FOLDER } from "./data.js";

/** A study of plans/study, as `tokenstorm study` would read it. */
export function readStudy(name: string): Study {
  return requireStudy(parse(readFileSync(join(DATA_FOLDER, "..", `${name}.yaml`), "utf8")));
}

/** A suite under a condition, in a mode, beside which a published series stands. */
export interface SeriesCell {
  readonly suite: StudySuite;
  readonly condition: string;
  readonly mode: StudyMode;
  readonly plan: TestPlan;
}

/** Every cell of a study that names the series; more than one where all modes have it. */
export function cellsOfSeries(study: Study, series: string): SeriesCell[] {
  return study.file.suites.flatMap((suite) =>
    study.file.conditions
      .filter(({ name }) => suite.conditions?.includes(name) ?? true)
      .flatMap((condition) =>
        STUDY_MODES.filter(
          (mode) =>
            (suite.modes[mode]?.published?.[condition.name] ?? suite.published[condition.name]) === series,
        ).map((mode) => ({
          suite,
          condition: condition.name,
          mode,
          plan: studyPlan(study, { suite, condition, mode }),
        })),
      ),
  );
}
