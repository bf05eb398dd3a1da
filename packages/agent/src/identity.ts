import { LoadError } from "@tokenstorm/core";
import { encodeClockProbe, openClockLine } from "@tokenstorm/protocol";
import type { AgentDeps } from "./agent-deps.js";

const ASK_TIMEOUT_MS = 1000;

/**
 * Asks whether a living process answers for this id already, before this one does. Throws AGENT_NOT_READY naming it.
 * Two that start in the same moment may both hear nothing: then the leader refuses one (see `Beacon.refused`).
 */
export async function refuseTakenId(
  deps: Pick<AgentDeps, "id" | "instance" | "bus" | "subjects" | "clock">,
  onMalformed: (error: unknown) => void,
): Promise<void> {
  const { id, instance } = deps;
  const line = openClockLine({ ...deps, agent: id, onRefusal: onMalformed });
  try {
    const answer = await Promise.race([line.ask({ timeoutMs: ASK_TIMEOUT_MS }), nobodyThere(deps)]);
    if (answer === undefined || answer.reply.instance === instance) return;
    throw takenIdError(id, `on ${answer.reply.host} (pid ${answer.reply.pid})`);
  } finally {
    line.close();
  }
}

/** Resolves soon where nobody listens for this id, so that a start is not held up by the time for an answer. */
async function nobodyThere(
  deps: Pick<AgentDeps, "id" | "instance" | "bus" | "subjects" | "clock">,
): Promise<undefined> {
  const { id, instance, bus, subjects, clock } = deps;
  const probe = encodeClockProbe({ t0: clock.nowUs(), asker: instance });
  await bus.request(subjects.clock(id), probe, { timeoutMs: ASK_TIMEOUT_MS });
  return undefined;
}

/** `where`: of the process that has the id, as far as it is known. */
export function takenIdError(id: string, where: string): LoadError {
  return new LoadError("AGENT_NOT_READY", `an agent named ${id} is already running ${where}`, {
    hint: "give each agent an id of its own: --id NAME",
  });
}
