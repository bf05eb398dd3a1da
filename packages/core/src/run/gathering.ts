import type { AgentView } from "./agent-view.js";
import { MOST_NAMED, nameAgent } from "./agent-view.js";
import { LEADER_LIMITS } from "./leader-limits.js";
import type { Problem, RunRecord } from "./run-record.js";

/** Agents that a run could use now, by id, so that every leader gives them the same shards. */
export function candidatesFor(record: RunRecord, agents: ReadonlyMap<string, AgentView>): AgentView[] {
  return [...agents.values()]
    .filter((agent) => unfitReason(record, agent) === null)
    .sort((a, b) => (a.agent < b.agent ? -1 : 1));
}

/** The plan asked for more agents than came: how many, which, and why the others do not fit. */
export function insufficientProblem(
  record: RunRecord,
  agents: ReadonlyMap<string, AgentView>,
): Problem & { readonly hint: string } {
  const { min, waitMs } = record.plan.agents;
  return {
    code: "AGENTS_INSUFFICIENT",
    message: `the plan asks for ${countAgents(min)} and ${presence(record, agents)} after ${waitMs / 1000} s`,
    hint: "start agents with `tokenstorm agent`, look at `tokenstorm agents`, or ask for fewer with agents.min",
  };
}

/** `1 is there (a1 on h1); not a2 on h2: it lacks the label zone=a`. */
export function presence(record: RunRecord, agents: ReadonlyMap<string, AgentView>): string {
  const present = candidatesFor(record, agents);
  const names = present.slice(0, MOST_NAMED).map(nameAgent).join(", ");
  const more = present.length > MOST_NAMED ? ", ..." : "";
  const there = `${present.length} ${present.length === 1 ? "is" : "are"} there`;
  const others = [...agents.values()].flatMap((agent) => {
    const reason = unfitReason(record, agent);
    return reason === null ? [] : [`${nameAgent(agent)}: ${reason}`];
  });
  const unfit = others.length === 0 ? "" : `; not ${others.slice(0, MOST_NAMED).join("; ")}`;
  const unnamed = others.length > MOST_NAMED ? `; and ${others.length - MOST_NAMED} more` : "";
  return `${there}${present.length === 0 ? "" : ` (${names}${more})`}${unfit}${unnamed}`;
}

function unfitReason(record: RunRecord, agent: AgentView): string | null {
  if (agent.silentUs > LEADER_LIMITS.freshUs) {
    return `it has been silent for ${Math.round(agent.silentUs / 1e6)} s`;
  }
  if (agent.isContested) return "two processes use this id";
  const lacking = Object.entries(record.plan.agents.labels ?? {}).find(
    ([key, value]) => agent.labels[key] !== value,
  );
  if (lacking !== undefined) return `it lacks the label ${lacking[0]}=${lacking[1]}`;
  if (agent.state === "idle") return null;
  if (agent.run !== null && agent.run !== record.id) return `it is ${agent.state} in run ${agent.run}`;
  return `it is ${agent.state}`;
}

function countAgents(count: number): string {
  return `${count} ${count === 1 ? "agent" : "agents"}`;
}
