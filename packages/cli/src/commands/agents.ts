import type { Operations } from "@tokenstorm/protocol";
import type { Command } from "commander";
import { withCluster } from "../cluster.js";
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
        withCluster(access, "operator", ({ operations }) => agents(flags, { operations, context })),
      );
    });
}

async function agents(
  flags: AgentsFlags,
  { operations, context }: { readonly operations: Operations; readonly context: CommandContext },
): Promise<number> {
  const { terminal } = context;
  const [rows, leader] = await Promise.all([operations.agents(), operations.leader()]);
  if (flags.json === true) {
    await terminal.print(JSON.stringify({ coordinator: leader?.leader ?? null, agents: rows }, null, 2));
    return EXIT.ok;
  }
  const { stdout } = terminal;
  await terminal.print(renderAgents(rows, { width: stdout.width(), colour: stdout.colour }));
  if (leader === undefined)
    terminal.say("no coordinator answers: tokenstorm coordinator --nats URL starts one");
  return EXIT.ok;
}
