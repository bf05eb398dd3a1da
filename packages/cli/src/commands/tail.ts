import { isTerminal, type LiveUpdate, LoadError, type RunRecord } from "@tokenstorm/core";
import { findRun, type HeardEnd, listRuns } from "@tokenstorm/protocol";
import { printable } from "@tokenstorm/report/columns";
import type { Command } from "commander";
import { type Cluster, withCluster } from "../cluster.js";
import type { CommandContext } from "../context.js";
import { EXIT } from "../exit-codes.js";
import { onInterrupt } from "../interrupt.js";
import { followLive, followRun } from "../live/follow.js";
import { createViewer, UI_KINDS, type UiKind } from "../live/viewer.js";
import { addNatsFlags, type NatsFlags, requireNats } from "../nats-options.js";
import { oneOf } from "../parse-arguments.js";

interface TailFlags extends NatsFlags {
  readonly wait?: boolean;
  readonly ui: UiKind;
  readonly json?: boolean;
}

export function addTail(program: Command, context: CommandContext): void {
  const command = program
    .command("tail")
    .description("watch a run; leaving it never touches the run")
    .argument("[run]", "id, or the beginning of one; the one under way by default");
  addNatsFlags(command)
    .option("--ui <kind>", `live view: ${UI_KINDS.join(", ")}`, oneOf(UI_KINDS), "auto")
    .option("--wait", "wait for a run that has not begun yet")
    .option("--json", "one line of JSON for each update")
    .action((run: string | undefined, flags: TailFlags) => {
      const access = requireNats(command, flags, context.env);
      return context.finish(
        // With the inbox of a viewer: the least that watching takes.
        withCluster(access, "viewer", (cluster) => tail(run, flags, { cluster, context })),
      );
    });
}

/** The run that was named; else one under way; else the latest. Throws RUN_UNKNOWN. */
export async function pickRun({ transport }: Cluster, named: string | undefined): Promise<RunRecord> {
  if (named !== undefined) return findRun(transport, named);
  const underWay = (await listRuns(transport)).filter((record) => !isTerminal(record.state));
  // One that runs comes before those that wait for it to end.
  return (
    underWay.find((record) => record.state !== "submitted") ??
    underWay.at(-1) ??
    findRun(transport, undefined)
  );
}

/** A run that only begins is waited for so long without `--wait`. */
const NO_RUN_LIMIT_MS = 5000;

async function tail(
  named: string | undefined,
  flags: TailFlags,
  { cluster, context }: { readonly cluster: Cluster; readonly context: CommandContext },
): Promise<number> {
  const { terminal } = context;
  const viewer = createViewer(flags.json === true ? "none" : flags.ui, terminal);
  const leave = new AbortController();
  const interrupts = onInterrupt(() => leave.abort());
  const watching = {
    signal: leave.signal,
    onUpdate: (update: LiveUpdate) => {
      if (flags.json === true) void terminal.print(JSON.stringify(update));
      else viewer.update(update);
    },
    onNote: (text: string) => viewer.note(text),
  };
  try {
    const record = await recordToWatch(cluster, named, flags.wait === true);
    if (record === null) {
      const waitLimitMs = flags.wait === true ? undefined : NO_RUN_LIMIT_MS;
      const ended = await followLive(cluster, { ...watching, run: named, waitLimitMs });
      viewer.close();
      terminal.say(ended === undefined ? "left; the run goes on" : heardFarewell(ended));
      return EXIT.ok;
    }
    const ended = await followRun(cluster, { ...watching, run: record.id });
    viewer.close();
    const url = cluster.transport.server?.url ?? "URL";
    terminal.say(ended === undefined ? `left; run ${record.id} goes on` : farewell(ended, url));
    return EXIT.ok;
  } finally {
    interrupts.close();
    viewer.close();
  }
}

/**
 * The run to watch by its record. Null where only listening is left: the user may read nothing, or waits for a run that
 * is not there yet. Throws RUN_UNKNOWN.
 */
async function recordToWatch(
  cluster: Cluster,
  named: string | undefined,
  mayWait: boolean,
): Promise<RunRecord | null> {
  try {
    const record = await pickRun(cluster, named);
    return mayWait && named === undefined && isTerminal(record.state) ? null : record;
  } catch (error) {
    const isWaiting = mayWait && error instanceof LoadError && error.code === "RUN_UNKNOWN";
    if (isWaiting || (error instanceof LoadError && error.code === "BUS_DENIED")) return null;
    throw error;
  }
}

function farewell(record: RunRecord, url: string): string {
  const why = record.problem === null ? "" : `: ${printable(record.problem.message)}`;
  return `run ${record.id} ${record.state}${why}; its report: tokenstorm report ${record.id} --nats ${url}`;
}

function heardFarewell({ run, state, notes }: HeardEnd): string {
  if (state === null) return `run ${run} is over; how it ended was not heard`;
  const why = state === "completed" ? undefined : notes.at(-1);
  return `run ${run} ${state}${why === undefined ? "" : `: ${printable(why)}`}`;
}
