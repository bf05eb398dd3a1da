import { type Clock, LoadError, REGISTRY_LIMITS } from "@tokenstorm/core";
import type { Subscription } from "./bus.js";
import { decodeBeacon, decodeHeartbeat } from "./codec.js";
import { onDenied } from "./denials.js";
import type { Beacon, Heartbeat } from "./messages/index.js";
import type { Subjects } from "./subjects.js";
import type { Transport } from "./transport.js";

/** Heartbeats and beacons come once a second. */
const LISTEN_MS = 1200;

/** Where heartbeats and beacons are heard. */
export interface Airwaves {
  readonly transport: Pick<Transport, "bus">;
  readonly subjects: Subjects;
}

export interface HeardAgent {
  readonly heartbeat: Heartbeat;
  /** Since the last heartbeat. */
  readonly silentMs: number;
}

/** Who is there, as anybody on the bus may hear it. */
export interface Roster {
  /** Agents that were heard within the time after which one counts as gone, by id. */
  agents(): HeardAgent[];
  /** The last beacon of the highest term; undefined where none was heard within that time. */
  leader(): Beacon | undefined;
  /** Heartbeats of agents beyond the bound, which are not kept. */
  readonly overflow: number;
  /** May be called twice. */
  close(): void;
}

/** Listens from now on. Garbage is passed over: whoever only looks need not know of it. */
export function openRoster(
  { transport, subjects }: Airwaves,
  clock: Clock,
  { mostAgents = REGISTRY_LIMITS.agents }: { readonly mostAgents?: number } = {},
): Roster {
  const heard = new Map<string, { readonly heartbeat: Heartbeat; readonly atUs: number }>();
  let latest: { readonly beacon: Beacon; readonly atUs: number } | undefined;
  let overflow = 0;
  const isGone = (atUs: number) => clock.nowUs() - atUs > REGISTRY_LIMITS.livingUs;
  const silentMs = (atUs: number) => Math.round((clock.nowUs() - atUs) / 1000);
  const forgetTheGone = () => {
    for (const [agent, { atUs }] of heard) if (isGone(atUs)) heard.delete(agent);
  };
  const beats = transport.bus.subscribe(
    subjects.heartbeats,
    tolerant(({ subject, data }) => {
      const heartbeat = decodeHeartbeat(data);
      if (subject !== subjects.heartbeat(heartbeat.agent)) return;
      if (!heard.has(heartbeat.agent) && heard.size >= mostAgents) forgetTheGone();
      if (!heard.has(heartbeat.agent) && heard.size >= mostAgents) overflow += 1;
      else heard.set(heartbeat.agent, { heartbeat, atUs: clock.nowUs() });
    }),
  );
  const beacons = transport.bus.subscribe(
    subjects.beacon,
    tolerant(({ data }) => {
      const beacon = decodeBeacon(data);
      if (latest === undefined || beacon.term >= latest.beacon.term) latest = { beacon, atUs: clock.nowUs() };
    }),
  );
  return {
    agents: () => {
      forgetTheGone();
      return [...heard.values()]
        .map(({ heartbeat, atUs }) => ({ heartbeat, silentMs: silentMs(atUs) }))
        .sort((a, b) => (a.heartbeat.agent < b.heartbeat.agent ? -1 : 1));
    },
    leader: () => (latest === undefined || isGone(latest.atUs) ? undefined : latest.beacon),
    get overflow() {
      return overflow;
    },
    close: () => {
      beats.close();
      beacons.close();
    },
  };
}

/** Agents that are heard now, by id, by their last heartbeat. Listens for a little longer than a second. */
export async function listAgents(airwaves: Airwaves, clock: Clock): Promise<Heartbeat[]> {
  const roster = await listen(airwaves, clock);
  return roster.agents().map(({ heartbeat }) => heartbeat);
}

/** The last beacon of the coordinator that leads now; undefined when none is heard. Takes a little over a second. */
export async function findLeader(airwaves: Airwaves, clock: Clock): Promise<Beacon | undefined> {
  return (await listen(airwaves, clock)).leader();
}

/** Throws BUS_DENIED: silence would look like nobody. */
async function listen(airwaves: Airwaves, clock: Clock): Promise<Roster> {
  const { transport, subjects } = airwaves;
  const roster = openRoster(airwaves, clock);
  let denials: Subscription | undefined;
  try {
    await new Promise<void>((resolve, reject) => {
      clock.at(clock.nowUs() + LISTEN_MS * 1000, resolve);
      denials = onDenied(transport.bus, [subjects.heartbeats, subjects.beacon], reject);
    });
  } finally {
    denials?.close();
    roster.close();
  }
  return roster;
}

function tolerant<Message>(take: (message: Message) => void): (message: Message) => void {
  return (message) => {
    try {
      take(message);
    } catch (error) {
      if (!(error instanceof LoadError)) throw error;
    }
  };
}
