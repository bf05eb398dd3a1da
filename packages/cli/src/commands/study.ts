import { join } from "node:path";
import {
  LoadError,
  runsOf,
  STUDY_MODES,
  type StudyMode,
  type StudyReport,
  type StudyStep,
  scheduleStudy,
  studyCost,
  summariseStudy,
  type TestPlan,
} from "@tokenstorm/core";
import { bakePage, renderStudy, studyData } from "@tokenstorm/report";
import type { Command } from "commander";
import type { CommandContext } from "../context.js";
import { errorLines } from "../errors.js";
import { EXIT } from "../exit-codes.js";
import { UI_KINDS, type UiKind } from "../live/viewer.js";
import { addNatsFlags, type NatsFlags, natsAccess } from "../nats-options.js";
import { VERSION } from "../packaging.js";
import { pageTemplate } from "../page-template.js";
import { oneOf, processCount } from "../parse-arguments.js";
import { readLocalReport } from "../run-files.js";
import { askToBegin } from "../study/ask-to-begin.js";
import { holdDataSets, readStudyFiles } from "../study/hold-data-sets.js";
import { hookText } from "../study/hook-process.js";
import { runStudy, studyExitCode } from "../study/run-study.js";
import { openStudyDirectory, type StudyDirectory } from "../study/study-directory.js";
import { type LoadedStudy, loadStudy } from "../study/study-file.js";
import { costText, scheduleLines, stepText } from "../study/study-lines.js";

interface StudyFlags extends NatsFlags {
  readonly mode: StudyMode;
  readonly only?: readonly string[];
  readonly condition?: readonly string[];
  readonly processes?: number | "auto";
  readonly out?: string;
  readonly dryRun?: boolean;
  readonly resume?: boolean;
  readonly restart?: boolean;
  readonly report?: boolean;
  readonly yes?: boolean;
  readonly allowHooks?: boolean;
  readonly ui: UiKind;
  readonly strict?: boolean;
  readonly json?: boolean;
}

export function addStudy(program: Command, context: CommandContext): void {
  const command = program
    .command("study")
    .description("run a study file: conditions, suites, repeats; goes on where it was stopped")
    .argument("<file>", "YAML or JSON study file (docs/study-file.md)");
  addNatsFlags(
    command
      .option("--mode <mode>", `how much: ${STUDY_MODES.join(", ")}`, oneOf(STUDY_MODES), "default")
      .option("--only <suite>", "only this suite (may be repeated)", collect)
      .option("--condition <name>", "only this condition (may be repeated)", collect)
      .option("--out <dir>", "the study's directory; studies/<name> by default")
      .option("--dry-run", "show schedule, cost and commands, and end")
      .option("--resume", "go on with the study that is in its directory")
      .option("--restart", "begin anew; what is in its directory is kept in before-1, before-2, ...")
      .option("--report", "show the report of what is done so far, and end")
      .option("--yes", "do not ask before it begins")
      .option("--allow-hooks", "run the commands that the study file names")
      .option("--processes <n|auto>", "agent processes on this machine, without --nats", processCount),
  )
    .option("--ui <kind>", `live view of each run: ${UI_KINDS.join(", ")}`, oneOf(UI_KINDS), "auto")
    .option("--strict", "a degraded run is as bad as an invalid one: exit code 110")
    .option("--json", "the study's report as JSON on stdout; with --dry-run the schedule")
    .action((path: string, flags: StudyFlags) => context.finish(study(path, flags, { command, context })));
}

const collect = (text: string, before: readonly string[] = []): readonly string[] => [...before, text];

interface World {
  readonly command: Command;
  readonly context: CommandContext;
}

interface Opened extends World {
  readonly access: ReturnType<typeof natsAccess>;
  /** Of a study that begins: with what their files are. */
  readonly plans: readonly TestPlan[] | undefined;
}

async function study(path: string, flags: StudyFlags, world: World): Promise<number> {
  const { command, context } = world;
  const { env } = context;
  if (flags.resume === true && flags.restart === true) {
    command.error("error: --resume goes on and --restart begins anew: choose one", { exitCode: EXIT.usage });
  }
  const access =
    flags.processes !== undefined && flags.nats === undefined ? undefined : natsAccess(flags, env);
  if (access !== undefined && flags.processes !== undefined) {
    command.error("error: --processes is for a study without --nats: there the agents are where they are", {
      exitCode: EXIT.usage,
    });
  }
  const loaded = await loadStudy(path);
  const whole = scheduleStudy(loaded.study, scheduleOptions(flags));
  if (flags.dryRun === true) {
    await readStudyFiles(whole, loaded.folder);
    return tellSchedule(loaded, whole, flags, context);
  }
  const resume = flags.resume === true || flags.report === true;
  // What is left to do of a study that goes on is only known when its directory is open.
  if (!resume) requireAllowed(whole, loaded, flags, command);
  const plans = resume ? undefined : await readStudyFiles(whole, loaded.folder);
  const directory = await openStudyDirectory({
    loaded,
    path: flags.out ?? join("studies", loaded.study.file.name),
    mode: flags.mode,
    resume,
    restart: flags.restart === true,
  });
  try {
    return await carryOut(loaded, directory, flags, { ...world, access, plans });
  } finally {
    await directory.close();
  }
}

async function carryOut(
  loaded: LoadedStudy,
  directory: StudyDirectory,
  flags: StudyFlags,
  { command, context, access, plans }: Opened,
): Promise<number> {
  const { terminal, env } = context;
  if (flags.report === true) {
    await tellReport(await reportOf(loaded, directory, flags.mode), flags, context);
    return EXIT.ok;
  }
  const steps = scheduleStudy(loaded.study, {
    ...scheduleOptions(flags),
    done: new Set(directory.done().keys()),
  });
  requireAllowed(steps, loaded, flags, command);
  for (const plan of plans ?? (await readStudyFiles(steps, loaded.folder)))
    await holdDataSets(directory, plan);
  for (const line of openingLines(loaded, directory, steps)) terminal.say(line);
  if (steps.length > 0 && flags.yes !== true && !(await askToBegin(terminal))) return EXIT.stopped;
  const end = await runStudy({
    steps,
    directory,
    folder: loaded.folder,
    access,
    processes: flags.processes,
    env,
    terminal,
    ui: flags.ui,
    strict: flags.strict === true,
  });
  const report = await reportOf(loaded, directory, flags.mode);
  await directory.writeFile("study-report.json", `${JSON.stringify(report, null, 2)}\n`);
  await writeStudyPage(report, directory, context.terminal);
  await tellReport(report, flags, context);
  if (end.error !== null && !end.stopped) for (const line of errorLines(end.error)) terminal.say(line);
  const isWhole = !end.stopped && end.error === null;
  terminal.say(
    isWhole
      ? `the study is in ${directory.path}`
      : `the study stopped; it goes on with: ${resumeCommand(loaded, directory, flags)}`,
  );
  return studyExitCode(end);
}

/** Beside the JSON; a study is worth no less where the page was not built. */
async function writeStudyPage(
  report: StudyReport,
  directory: StudyDirectory,
  terminal: CommandContext["terminal"],
): Promise<void> {
  try {
    const page = bakePage(pageTemplate(), studyData(report));
    await directory.writeFile("study-report.html", page);
  } catch (error) {
    if (!(error instanceof LoadError)) throw error;
    terminal.say(`no study-report.html: ${error.message}`);
  }
}

async function tellReport(
  report: StudyReport,
  flags: StudyFlags,
  { terminal }: CommandContext,
): Promise<void> {
  const { stdout } = terminal;
  await terminal.print(
    flags.json === true
      ? JSON.stringify(report, null, 2)
      : renderStudy(report, { width: stdout.width(), colour: stdout.colour }),
  );
}

/** Wrong use where a schedule has commands that nobody allowed. */
function requireAllowed(
  steps: readonly StudyStep[],
  { path }: LoadedStudy,
  flags: StudyFlags,
  command: Command,
): void {
  const hooks = commandsOf(steps);
  if (hooks.length === 0 || flags.allowHooks === true) return;
  const many = hooks.length === 1 ? "a command of its own" : `${hooks.length} commands of its own`;
  command.error(
    `error: ${path} runs ${many}, such as ${hooks[0]}\nhint: --dry-run lists them; read them, then give --allow-hooks`,
    { exitCode: EXIT.usage },
  );
}

function scheduleOptions({ mode, only = [], condition = [] }: StudyFlags) {
  return { mode, only, conditions: condition };
}

/** What there is to do and what it costs, before anything is done. */
function openingLines(loaded: LoadedStudy, directory: StudyDirectory, steps: readonly StudyStep[]): string[] {
  const done = directory.done().size;
  const { mode } = directory.state;
  const cost = studyCost(steps, { ...loaded, mode });
  return [
    `study ${loaded.study.file.name}, mode ${mode}, in ${directory.path}`,
    ...(done === 0 ? [] : [`${done} runs are done and are not repeated`]),
    ...directory.underWay.map(
      (key) => `${key} was under way when the study stopped: it is repeated, and what it left is not counted`,
    ),
    ...(steps.length === 0 ? ["nothing is left to do"] : scheduleLines(steps, cost, { all: false })),
  ];
}

async function tellSchedule(
  loaded: LoadedStudy,
  steps: readonly StudyStep[],
  { json, mode }: StudyFlags,
  { terminal }: CommandContext,
): Promise<number> {
  const cost = studyCost(steps, { ...loaded, mode });
  const { name, notes } = loaded.study.file;
  const lines = [`study ${name}, mode ${mode}`, ...notes, ...scheduleLines(steps, cost, { all: true })];
  await terminal.print(
    json === true
      ? JSON.stringify(
          { study: name, mode, cost, steps, text: steps.map(stepText), about: costText(cost.total) },
          null,
          2,
        )
      : lines.join("\n"),
  );
  return EXIT.ok;
}

/** Commands that the schedule would run, each once. */
function commandsOf(steps: readonly StudyStep[]): string[] {
  const commands = steps.flatMap((step) =>
    step.kind === "switch"
      ? [step.switch, step.serve].flatMap((words) => (words === null ? [] : [hookText(words)]))
      : [],
  );
  return [...new Set(commands)];
}

/** Of every run that is in the directory, also those of suites and conditions that this command was not asked for. */
async function reportOf(
  loaded: LoadedStudy,
  directory: StudyDirectory,
  mode: StudyMode,
): Promise<StudyReport> {
  const runs = runsOf(scheduleStudy(loaded.study, { mode }));
  const results = [];
  for (const done of directory.done().values()) {
    const path = join(directory.runs, done.directory);
    const report = await readLocalReport(path).catch((cause: unknown) => {
      throw new LoadError(
        "RESULTS_UNREADABLE",
        `the run ${done.key} is in the journal, and ${path} cannot be read`,
        {
          hint: "bring the directory back, or --restart",
          cause,
        },
      );
    });
    results.push({ key: done.key, run: done.run, directory: join("runs", done.directory), report });
  }
  return summariseStudy({
    study: loaded.study,
    runs,
    results,
    published: loaded.published,
    mode,
    digest: loaded.digest,
    startedAt: directory.state.createdAt,
    version: VERSION,
  });
}

function resumeCommand(loaded: LoadedStudy, directory: StudyDirectory, flags: StudyFlags): string {
  const given = [
    flags.mode === "default" ? "" : `--mode ${flags.mode}`,
    flags.out === undefined ? "" : `--out ${directory.path}`,
    ...(flags.only ?? []).map((name) => `--only ${name}`),
    ...(flags.condition ?? []).map((name) => `--condition ${name}`),
    flags.allowHooks === true ? "--allow-hooks" : "",
  ];
  return ["tokenstorm study", loaded.path, ...given.filter((flag) => flag !== ""), "--resume"].join(" ");
}
