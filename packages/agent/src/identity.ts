import { LoadError } from "@tokenstorm/core";
import { type ClockReply, decodeClockReply, encodeClockProbe } from "@tokenstorm/protocol";
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
  const { id, instance, bus, subjects, clock } = deps;
  const probe = encodeClockProbe({ t0: clock.nowUs() });
  const answer = await bus.request(subjects.clock(id), probe, { timeoutMs: ASK_TIMEOUT_MS });
  if (answer === undefined) return;
  let other: ClockReply;
  try {
    other = decodeClockReply(answer);
  } catch (error) {
    onMalformed(error);
    return;
  }
  if (other.instance === instance) return;
  throw takenIdError(id, `on ${other.host} (pid ${other.pid})`);
}

/** `where`: of the process that has the id, as far as it is known. */
export function takenIdError(id: string, where: string): LoadError {
  return new LoadError("AGENT_NOT_READY", `an agent named ${id} is already running ${where}`, {
    hint: "give each agent an id of its own: --id NAME",
  });
}
