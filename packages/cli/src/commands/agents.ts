import { findLeader, listAgents, systemClock } from "@tokenstorm/protocol";
import type { Command } from "commander";
import { type Cluster, withCluster } from "../cluster.js";
import type { CommandContext } from "../context.js";
import { EXIT } from "../exit-codes.js";
import { renderAgents } from "../listings.js";
import { addNatsFlags, type NatsFlags, requireNats } from "../nats-options.js";

interface AgentsFlags extends NatsFlags {
  readonly json?: boolean;
}

export function addAgents(program: Command, context: CommandContext): void {
  const command = program.command("agents").description("who is there, and how each fares");
  addNatsFlags(command)
    .option("--json", "each agent's last heartbeat, as JSON")
    .action((flags: AgentsFlags) => {
      const access = requireNats(command, flags, context.env);
      return context.finish(
        withCluster(access, "operator", (cluster) => agents(flags, { cluster, context })),
      );
    });
}

async function agents(
  flags: AgentsFlags,
  { cluster, context }: { readonly cluster: Cluster; readonly context: CommandContext },
): Promise<number> {
  const { terminal } = context;
  const clock = systemClock();
  const [beats, leader] = await Promise.all([listAgents(cluster, clock), findLeader(cluster, clock)]);
  if (flags.json === true) {
    await terminal.print(JSON.stringify({ coordinator: leader?.leader ?? null, agents: beats }, null, 2));
    return EXIT.ok;
  }
  const { stdout } = terminal;
  await terminal.print(renderAgents(beats, { width: stdout.width(), colour: stdout.colour }));
  if (leader === undefined)
    terminal.say("no coordinator answers: tokenstorm coordinator --nats URL starts one");
  return EXIT.ok;
}
