import { Command, CommanderError } from "commander";
import type { CommandContext } from "./context.js";
import { DEBUG_ENV, describeError } from "./errors.js";
import { EXIT } from "./exit-codes.js";
import { CHILD_ENV } from "./interrupt.js";
import { VERSION } from "./packaging.js";
import { processTerminal, type Terminal } from "./terminal.js";

/** Runs the command line to its end and leaves with its exit code; nothing of it goes on afterwards. */
export async function main(argv: readonly string[]): Promise<void> {
  const terminal = processTerminal();
  if (argv.includes("--debug")) process.env[DEBUG_ENV] = "1";
  const debug = process.env[DEBUG_ENV] === "1";
  process.on("uncaughtException", (error) => {
    const failure = describeError(error, { debug });
    terminal.say(failure.text);
    process.exit(failure.code);
  });
  if (process.pid === 1) leaveOnSignal();
  process.exit(await runCommandLine(argv, { terminal, debug, env: process.env }));
}

/**
 * The kernel has no default for signals to the first process of a container: a command that does not heed them itself
 * would let `docker stop` wait in vain.
 */
function leaveOnSignal(): void {
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.on(signal, () => {
      if (process.listenerCount(signal) === 1) process.exit(EXIT.stopped);
    });
  }
}

/** Parses and runs; resolves with the exit code. */
export async function runCommandLine(
  argv: readonly string[],
  world: Pick<CommandContext, "terminal" | "debug" | "env">,
): Promise<number> {
  let code: number = EXIT.ok;
  const context: CommandContext = {
    ...world,
    announce: (message) => {
      if (process.env[CHILD_ENV] !== undefined) process.send?.(message);
    },
    finish: async (work) => {
      code = await work;
    },
  };
  try {
    const program = await createProgram(argv, context);
    await program.parseAsync([...argv], { from: "user" });
    return code;
  } catch (error) {
    // Commander has said what is wrong already; help and version are no errors.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    const failure = describeError(error, world);
    world.terminal.say(failure.text);
    return failure.code;
  }
}

type AddCommand = (program: Command, context: CommandContext) => void;

/** In the order of the help. Loaded when they are wanted: an agent need not read the simulator. */
const COMMANDS: Readonly<Record<string, () => Promise<AddCommand>>> = {
  run: async () => (await import("./commands/run.js")).addRun,
  probe: async () => (await import("./commands/probe.js")).addProbe,
  coordinator: async () => (await import("./commands/coordinator.js")).addCoordinator,
  agent: async () => (await import("./commands/agent.js")).addAgent,
  submit: async () => (await import("./commands/submit.js")).addSubmit,
  tail: async () => (await import("./commands/tail.js")).addTail,
  stop: async () => (await import("./commands/stop.js")).addStop,
  agents: async () => (await import("./commands/agents.js")).addAgents,
  runs: async () => (await import("./commands/runs.js")).addRuns,
  report: async () => (await import("./commands/report.js")).addReport,
  compare: async () => (await import("./commands/compare.js")).addCompare,
  audit: async () => (await import("./commands/audit.js")).addAudit,
  validate: async () => (await import("./commands/validate.js")).addValidate,
  init: async () => (await import("./commands/init.js")).addInit,
  calibrate: async () => (await import("./commands/calibrate.js")).addCalibrate,
  study: async () => (await import("./commands/study.js")).addStudy,
  doctor: async () => (await import("./commands/doctor.js")).addDoctor,
  simulate: async () => (await import("./commands/simulate.js")).addSimulate,
};

async function createProgram(argv: readonly string[], context: CommandContext): Promise<Command> {
  const program = new Command("tokenstorm")
    .description("Load generator for LLM servers: one machine or many, one path.")
    .version(VERSION, "--version")
    .exitOverride()
    .configureOutput(outputOf(context.terminal))
    .showHelpAfterError("hint: tokenstorm <command> --help shows what there is")
    .enablePositionalOptions();
  const named = Object.entries(COMMANDS).filter(([name]) => name === argv[0]);
  for (const [, load] of named.length > 0 ? named : Object.entries(COMMANDS))
    (await load())(program, context);
  for (const command of program.commands) {
    command.option("--debug", "show the stack of an error").helpOption("-h, --help", "show this help");
  }
  return program;
}

function outputOf(terminal: Terminal) {
  return {
    writeOut: (text: string) => process.stdout.write(text),
    writeErr: (text: string) => terminal.draw(text),
    getOutHelpWidth: () => terminal.stdout.width(),
    getErrHelpWidth: () => terminal.stderr.width(),
  };
}
