import {
  decodeRunRecord,
  findLeader,
  type Heartbeat,
  listAgents,
  runKey,
  systemClock,
} from "@tokenstorm/protocol";
import type { Command } from "commander";
import { type Cluster, withCluster } from "../cluster.js";
import type { CommandContext } from "../context.js";
import { EXIT } from "../exit-codes.js";
import { type AgentRow, renderAgents } from "../listings.js";
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
  const rows = await withClockErrors(cluster, beats);
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

/** An agent's clock is compared with the leader's for a run; the record of that run has the result. */
async function withClockErrors({ transport }: Cluster, beats: readonly Heartbeat[]): Promise<AgentRow[]> {
  const known = new Map<string, number>();
  for (const run of new Set(beats.flatMap((beat) => (beat.run === null ? [] : [beat.run])))) {
    const entry = await transport.state.get(runKey(run));
    const shards = entry === undefined ? [] : decodeRunRecord(entry.value).shards;
    for (const shard of shards) known.set(shard.instance, shard.clockErrorUs);
  }
  return beats.map((beat) => ({ ...beat, clockErrorUs: known.get(beat.instance) ?? null }));
}
