import { notDelivered, notDrained, notReady } from "./agent-checks.js";
import { nameAgents } from "./agent-view.js";
import { candidatesFor, presence } from "./gathering.js";
import { LEADER_LIMITS } from "./leader-limits.js";
import type { LeaderEvent, LeaderState } from "./leader-state.js";
import { openLosses } from "./shard-map.js";

/** What the run waits for now, for those who watch it: no line while it simply runs. */
export function waitingNotes(
  state: LeaderState,
  look: Pick<Extract<LeaderEvent, { kind: "look" }>, "nowUs" | "agents" | "delivered">,
): string[] {
  const { step, record } = state;
  const event = { kind: "look", ...look } as const;
  switch (step.kind) {
    case "gathering": {
      const present = candidatesFor(record, look.agents).length;
      if (present >= record.plan.agents.min) return [];
      const leftUs = Math.max(0, step.sinceUs + record.plan.agents.waitMs * 1000 - look.nowUs);
      return [
        `waiting for agents, ${Math.ceil(leftUs / 1e6)} s more: ${record.plan.agents.min} wanted, ${presence(record, look.agents)}`,
      ];
    }
    case "restoring":
      return ["taking the run over"];
    case "probing":
      return ["comparing clocks"];
    case "preparing": {
      const waiting = notReady(state, look.agents);
      return waiting.length === 0 ? [] : [`waiting until ready: ${nameAgents(waiting)}`];
    }
    case "scraping":
      return ["waiting until the target is at rest"];
    case "arming": {
      const leftUs = step.leaderUs - look.nowUs;
      return leftUs <= 0 ? [] : [`starts in ${(leftUs / 1e6).toFixed(1)} s`];
    }
    case "running": {
      const leftUs = (record.start?.leaderUs ?? look.nowUs) - look.nowUs;
      return leftUs <= 0 ? [] : [`starts in ${(leftUs / 1e6).toFixed(1)} s`];
    }
    case "draining": {
      const waiting = notDrained(state, event);
      return waiting.length === 0 ? [] : [`waiting for open requests: ${nameAgents(waiting)}`];
    }
    case "delivering": {
      const waiting = notDelivered(state, event);
      if (waiting.length > 0) return [`waiting for results: ${nameAgents(waiting)}`];
      return step.isScraped ? [] : ["waiting until the target is at rest"];
    }
    default:
      return [];
  }
}

/** Quiet agents are named before they count as lost. */
export function silenceNotes(
  state: LeaderState,
  agents: ReadonlyMap<string, { readonly silentUs: number }>,
): string[] {
  const losses = openLosses(state.record);
  const isLost = (agent: string) => losses.some((loss) => loss.agent === agent);
  const quiet = state.shards.filter(({ agent }) => {
    const silentUs = agents.get(agent)?.silentUs ?? 0;
    return silentUs >= LEADER_LIMITS.freshUs && !state.givenUp.includes(agent) && !isLost(agent);
  });
  const lost = state.shards.filter(({ agent }) => isLost(agent));
  return [
    ...(quiet.length === 0 ? [] : [`nothing heard from ${nameAgents(quiet)}`]),
    ...(lost.length === 0 ? [] : [`goes on without ${nameAgents(lost)}`]),
  ];
}
