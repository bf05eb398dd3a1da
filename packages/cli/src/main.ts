import { Command, CommanderError } from "commander";
import { addAgent } from "./commands/agent.js";
import { addAgents } from "./commands/agents.js";
import { addCoordinator } from "./commands/coordinator.js";
import { addInit } from "./commands/init.js";
import { addProbe } from "./commands/probe.js";
import { addReport } from "./commands/report.js";
import { addRun } from "./commands/run.js";
import { addRuns } from "./commands/runs.js";
import { addSimulate } from "./commands/simulate.js";
import { addStop } from "./commands/stop.js";
import { addSubmit } from "./commands/submit.js";
import { addTail } from "./commands/tail.js";
import { addValidate } from "./commands/validate.js";
import type { CommandContext } from "./context.js";
import { describeError } from "./errors.js";
import { EXIT } from "./exit-codes.js";
import { CHILD_ENV } from "./interrupt.js";
import { processTerminal, type Terminal } from "./terminal.js";
import { VERSION } from "./version.js";

/** Runs the command line to its end and leaves with its exit code; nothing of it goes on afterwards. */
export async function main(argv: readonly string[]): Promise<void> {
  const terminal = processTerminal();
  const debug = argv.includes("--debug") || process.env["TOKENSTORM_DEBUG"] === "1";
  process.on("uncaughtException", (error) => {
    const failure = describeError(error, { debug });
    terminal.say(failure.text);
    process.exit(failure.code);
  });
  process.exit(await runCommandLine(argv, { terminal, debug, env: process.env }));
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
    await createProgram(context).parseAsync([...argv], { from: "user" });
    return code;
  } catch (error) {
    // Commander has said what is wrong already; help and version are no errors.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    const failure = describeError(error, world);
    world.terminal.say(failure.text);
    return failure.code;
  }
}

function createProgram(context: CommandContext): Command {
  const program = new Command("tokenstorm")
    .description("Load generator for LLM servers: one machine or many, one path.")
    .version(VERSION, "--version")
    .exitOverride()
    .configureOutput(outputOf(context.terminal))
    .showHelpAfterError("hint: tokenstorm <command> --help shows what there is")
    .enablePositionalOptions();
  const add = [
    addRun,
    addProbe,
    addCoordinator,
    addAgent,
    addSubmit,
    addTail,
    addStop,
    addAgents,
    addRuns,
    addReport,
    addValidate,
    addInit,
    addSimulate,
  ];
  for (const one of add) one(program, context);
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
