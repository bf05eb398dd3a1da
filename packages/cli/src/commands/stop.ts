import { isTerminal, LoadError, type RunRecord } from "@tokenstorm/core";
import type { Operations } from "@tokenstorm/protocol";
import type { Command } from "commander";
import { type Cluster, withCluster } from "../cluster.js";
import type { CommandContext } from "../context.js";
import { onDeniedHint } from "../denied-hint.js";
import { EXIT } from "../exit-codes.js";
import { addNatsFlags, type NatsFlags, requireNats } from "../nats-options.js";

interface StopFlags extends NatsFlags {
  readonly now?: boolean;
  readonly json?: boolean;
}

export function addStop(program: Command, context: CommandContext): void {
  const command = program
    .command("stop")
    .description("end a run, also while no coordinator lives")
    .argument("[run]", "id, or the beginning of one; the one under way by default");
  addNatsFlags(command)
    .option("--now", "cut the requests in flight instead of letting them finish")
    .option("--json", "what was stopped, as JSON")
    .action((run: string | undefined, flags: StopFlags) => {
      const access = requireNats(command, flags, context.env);
      return context.finish(
        withCluster(access, "operator", (cluster) => stop(run, flags, { cluster, context })),
      );
    });
}

async function stop(
  named: string | undefined,
  flags: StopFlags,
  { cluster, context }: { readonly cluster: Cluster; readonly context: CommandContext },
): Promise<number> {
  const { terminal } = context;
  const { operations } = cluster;
  const record = await runToStop(operations, named);
  const level = flags.now === true ? "cut" : "drain";
  if (!isTerminal(record.state)) {
    const denied = onDeniedHint(cluster, (text) => terminal.say(text));
    await operations.stop(record.id, level, "stopped by a person");
    denied.close();
  }
  if (flags.json === true) {
    await terminal.print(JSON.stringify({ run: record.id, state: record.state, level }));
  } else if (isTerminal(record.state))
    await terminal.print(`run ${record.id} is over already: ${record.state}`);
  else if (level === "cut") await terminal.print(`run ${record.id} is told to end at once`);
  else
    await terminal.print(`run ${record.id} is told to end: requests in flight may finish; --now cuts them`);
  return EXIT.ok;
}

async function runToStop(operations: Operations, named: string | undefined): Promise<RunRecord> {
  if (named !== undefined) return operations.run(named);
  const underWay = await operations.runsUnderWay();
  const [only, ...others] = underWay;
  if (only === undefined) throw new LoadError("RUN_UNKNOWN", "no run is under way");
  if (others.length === 0) return only;
  // Stopping is not a thing to guess at.
  const ids = underWay.map((record) => `${record.id} (${record.state})`).join(", ");
  throw new LoadError("RUN_UNKNOWN", `${underWay.length} runs are under way: ${ids}`, {
    hint: "name one of them",
  });
}
