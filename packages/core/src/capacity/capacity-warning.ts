import { type AgentView, MOST_NAMED } from "../run/agent-view.js";
import type { ShardAssignment } from "../run/run-record.js";
import { knownLimit } from "./capacity.js";

/** Notes that begin so are shown at once, and stay. */
const WARNING = "warning: ";

export function isWarning(note: string): boolean {
  return note.startsWith(WARNING);
}

interface Overload {
  readonly host: string;
  readonly reader: string;
  readonly plannedEventsPerS: number;
  readonly carriedEventsPerS: number;
}

/**
 * One line where more is planned for agent processes than their hosts' calibration says they carry with clean stamps: by
 * host, and with how many processes all of them would do. Null where all do, or none was calibrated.
 */
export function capacityWarning(
  shards: readonly ShardAssignment[],
  agents: ReadonlyMap<string, AgentView>,
): string | null {
  const over = shards.flatMap((shard) => overloadOf(agents.get(shard.agent)));
  const [first] = over;
  if (first === undefined) return null;
  const planned = Math.max(...over.map((one) => one.plannedEventsPerS));
  const carried = Math.min(...over.map((one) => one.carriedEventsPerS));
  // The plan is shared evenly, so the slowest host says how large a share may be.
  const needed = Math.ceil((planned * shards.length) / carried);
  const hosts = [...new Set(over.map((one) => one.host))];
  const named = hosts
    .slice(0, MOST_NAMED)
    .map((host) => onHost(over.filter((one) => one.host === host)))
    .join(", ");
  const more = hosts.length > MOST_NAMED ? ` and ${hosts.length - MOST_NAMED} more hosts` : "";
  return (
    `${WARNING}each agent process is to read up to ${thousands(planned)} events/s, more than it carries with clean stamps ` +
    `on ${named}${more}; ${needed} processes would do instead of ${shards.length}`
  );
}

function overloadOf(view: AgentView | undefined): Overload[] {
  const { plannedEventsPerS, reader } = view?.ready ?? {};
  if (view === undefined || plannedEventsPerS === undefined || reader === undefined) return [];
  const carriedEventsPerS = knownLimit(view.capacity, reader);
  if (carriedEventsPerS === undefined || carriedEventsPerS <= 0 || plannedEventsPerS <= carriedEventsPerS)
    return [];
  return [{ host: view.host, reader, plannedEventsPerS, carriedEventsPerS }];
}

/** Processes of one host may have been started before and after it was calibrated: the lowest counts. */
function onHost(ones: readonly Overload[]): string {
  const least = ones.reduce((low, one) => (one.carriedEventsPerS < low.carriedEventsPerS ? one : low));
  const count = ones.length === 1 ? "1 process" : `${ones.length} processes`;
  return `${least.host} (${count}: ${thousands(least.carriedEventsPerS)} each with ${least.reader})`;
}

function thousands(value: number): string {
  return String(Math.round(value)).replace(/\B(?=(\d{3})+$)/g, ",");
}
