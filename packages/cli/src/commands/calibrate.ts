import { availableParallelism } from "node:os";
import { autoProcesses } from "@tokenstorm/agent/host";
import { LoadError, READER_NAMES } from "@tokenstorm/core";
import { paint } from "@tokenstorm/report";
import { type Command, InvalidArgumentError, Option } from "commander";
import {
  type CalibrationScope,
  calibrateHost,
  FULL_SCOPE,
  type HostFindings,
  QUICK_SCOPE,
} from "../calibrate/calibrate-host.js";
import {
  CALIBRATION_ENV,
  calibrationPath,
  hostKey,
  storeCalibration,
} from "../calibrate/calibration-file.js";
import type { Calibration } from "../calibrate/calibration-schema.js";
import { calibrationText, levelLine } from "../calibrate/calibration-text.js";
import { splitOwnCpus } from "../calibrate/cpu-split.js";
import { measureReader } from "../calibrate/measure-reader.js";
import { startNullServer } from "../calibrate/null-server.js";
import { CalibrationPart } from "../calibrate/parts.js";
import type { CommandContext } from "../context.js";
import { errorLines } from "../errors.js";
import { EXIT } from "../exit-codes.js";
import { onInterrupt } from "../interrupt.js";

interface CalibrateFlags {
  readonly quick?: boolean;
  readonly streams?: readonly number[];
  readonly rates?: readonly number[];
  readonly file?: string;
  readonly json?: boolean;
  readonly part?: CalibrationPart;
}

export function addCalibrate(program: Command, context: CommandContext): void {
  program
    .command("calibrate")
    .description("find how many events/s one agent process carries on this host, and keep it")
    .option("--quick", "half a minute instead of one and a half, and coarser")
    .option(
      "--streams <list>",
      `numbers of streams to try; ${FULL_SCOPE.streams.join(",")} by default`,
      counts,
    )
    .option("--rates <list>", "events/s to try, rising", counts)
    .option("--file <file>", `where it is kept (${CALIBRATION_ENV})`)
    .option("--json", "the calibration as JSON")
    // What the processes that this command starts are started to be.
    .addOption(new Option("--part <json>").argParser(partOf).hideHelp())
    .action((flags: CalibrateFlags) =>
      context.finish(flags.part === undefined ? calibrate(flags, context) : bePart(flags.part, context)),
    );
}

async function calibrate(flags: CalibrateFlags, context: CommandContext): Promise<number> {
  const { terminal } = context;
  const cpus = autoProcesses();
  if (cpus < 2) {
    throw new LoadError("AGENT_NOT_READY", "calibrate needs two CPUs, and this process may use one", {
      hint: "a null server on the client's own CPU would be the limit: calibrate on a host with more",
    });
  }
  const scope = scopeOf(flags);
  const split = splitOwnCpus();
  if (split === undefined)
    terminal.say(
      "no CPU is kept for the null server: taskset is not to be had here, or one CPU is all there is",
    );
  const aborting = new AbortController();
  const interrupts = onInterrupt((count) => {
    if (count > 1) process.exit(EXIT.stopped);
    aborting.abort();
  });
  try {
    terminal.say(
      `calibrating, for at most ${Math.ceil(scope.limitMs / 1000)} s; load on this host spoils it`,
    );
    const findings = await calibrateHost({
      scope,
      cpus: split,
      onLevel: (level) => terminal.say(levelLine(level)),
      signal: aborting.signal,
    });
    const calibration = calibrationOf(findings, { quick: flags.quick === true, pinned: split !== undefined });
    return await keep(calibration, flags, context);
  } catch (error) {
    if (aborting.signal.aborted) return EXIT.stopped;
    throw error;
  } finally {
    interrupts.close();
  }
}

function calibrationOf(
  { capacity, levels }: HostFindings,
  how: { readonly quick: boolean; readonly pinned: boolean },
): Calibration {
  const cores = availableParallelism();
  return { ...hostKey(), cores, measuredAt: new Date().toISOString(), ...how, capacity, levels: [...levels] };
}

/** Shows it whatever becomes of the file. */
async function keep(
  calibration: Calibration,
  flags: CalibrateFlags,
  { terminal, env }: CommandContext,
): Promise<number> {
  const { stdout } = terminal;
  await terminal.print(
    flags.json === true
      ? JSON.stringify(calibration, null, 2)
      : calibrationText(calibration, { width: Math.min(80, stdout.width()), paint: paint(stdout.colour) }),
  );
  const untold = READER_NAMES.filter((reader) => calibration.capacity[reader].eventsPerS === 0);
  if (untold.length > 0) {
    throw new LoadError(
      "AGENT_NOT_READY",
      `no level was clean with ${untold.join(" and ")}: this says nothing of the host, and is not kept`,
      { hint: "end what else runs here, and calibrate again" },
    );
  }
  const file = calibrationPath(env, flags.file);
  try {
    await storeCalibration(file, calibration);
  } catch (error) {
    if (!(error instanceof LoadError)) throw error;
    terminal.say(errorLines(error).join("\n"));
    return EXIT.error;
  }
  terminal.say(`kept in ${file}; agents that start here from now on go by it`);
  return EXIT.ok;
}

/** One of the processes of a calibration, for the one that started it. */
async function bePart(part: CalibrationPart, context: CommandContext): Promise<number> {
  if (part.kind === "client") {
    onInterrupt(() => process.exit(EXIT.stopped));
    await measureReader({ ...part, onLevel: (level) => context.announce({ kind: "level", level }) });
    return EXIT.ok;
  }
  const ended = new Promise<void>((resolve) => {
    onInterrupt(() => resolve());
  });
  const server = await startNullServer();
  context.announce({ kind: "serving", url: server.url });
  await ended;
  await server.close();
  return EXIT.ok;
}

function scopeOf({ quick, streams, rates }: CalibrateFlags): CalibrationScope {
  const scope = quick === true ? QUICK_SCOPE : FULL_SCOPE;
  return {
    ...scope,
    streams: streams ?? scope.streams,
    rates: rates?.toSorted((a, b) => a - b) ?? scope.rates,
  };
}

const MOST_RATE = 1_000_000;

function counts(text: string, _before: readonly number[] | undefined): readonly number[] {
  const values = text.split(",").map(Number);
  if (values.every((value) => Number.isSafeInteger(value) && value >= 1 && value <= MOST_RATE)) return values;
  throw new InvalidArgumentError("write whole numbers with commas between, such as 100,1000.");
}

function partOf(text: string): CalibrationPart {
  try {
    return CalibrationPart.parse(JSON.parse(text));
  } catch {
    throw new InvalidArgumentError("it is only for processes that calibrate starts.");
  }
}
