import { isTerminal, type RunRecord } from "@tokenstorm/core";
import { findRun, listRuns } from "@tokenstorm/protocol";
import { printable } from "@tokenstorm/report";
import type { Command } from "commander";
import { type Cluster, withCluster } from "../cluster.js";
import type { CommandContext } from "../context.js";
import { EXIT } from "../exit-codes.js";
import { onInterrupt } from "../interrupt.js";
import { followRun } from "../live/follow.js";
import { createViewer, UI_KINDS, type UiKind } from "../live/viewer.js";
import { addNatsFlags, type NatsFlags, requireNats } from "../nats-options.js";
import { oneOf } from "../parse-arguments.js";

interface TailFlags extends NatsFlags {
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
    .option("--json", "one line of JSON for each update")
    .action((run: string | undefined, flags: TailFlags) => {
      const access = requireNats(command, flags, context.env);
      return context.finish(
        withCluster(access, "operator", async (cluster) =>
          tail(await pickRun(cluster, run), flags, { cluster, context }),
        ),
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

async function tail(
  record: RunRecord,
  flags: TailFlags,
  { cluster, context }: { readonly cluster: Cluster; readonly context: CommandContext },
): Promise<number> {
  const { terminal } = context;
  const viewer = createViewer(flags.json === true ? "none" : flags.ui, terminal);
  const leave = new AbortController();
  const interrupts = onInterrupt(() => leave.abort());
  try {
    const ended = await followRun(cluster, {
      run: record.id,
      signal: leave.signal,
      onUpdate: (update) => {
        if (flags.json === true) void terminal.print(JSON.stringify(update));
        else viewer.update(update);
      },
      onNote: (text) => viewer.note(text),
    });
    viewer.close();
    terminal.say(
      ended === undefined
        ? `left; run ${record.id} goes on`
        : farewell(ended, cluster.transport.server?.url ?? "URL"),
    );
    return EXIT.ok;
  } finally {
    interrupts.close();
    viewer.close();
  }
}

function farewell(record: RunRecord, url: string): string {
  const why = record.problem === null ? "" : `: ${printable(record.problem.message)}`;
  return `run ${record.id} ${record.state}${why}; its report: tokenstorm report ${record.id} --nats ${url}`;
}
