import { type Clock, LoadError } from "@tokenstorm/core";
import {
  decodeBeacon,
  LEADER_KEY,
  listAgents,
  listRuns,
  type StateStore,
  type Subjects,
  type Transport,
} from "@tokenstorm/protocol";
import { COORDINATOR_LIMITS } from "./limits.js";
import { pause } from "./ticker.js";

/** The key that only one coordinator holds. */
export interface LeaderEntry {
  readonly v: 1;
  readonly term: number;
  readonly leader: string;
  readonly instance: string;
  /** The one who held it has ended properly. */
  readonly isFree: boolean;
}

export interface LeadershipOptions {
  readonly id: string;
  readonly instance: string;
  readonly clock: Clock;
  readonly transport: Pick<Transport, "bus" | "state">;
  readonly subjects: Subjects;
}

/** The term under which this coordinator leads, until somebody else takes the key. */
export interface Leadership {
  readonly term: number;
  /** Whether the store still says so. Throws BUS_UNAVAILABLE, BUS_DENIED. */
  isHeld(): Promise<boolean>;
  /** Lets the next one lead without waiting. Never throws. */
  release(): Promise<void>;
}

/**
 * Takes the key, under the next term. Refuses with BUS_DENIED where another coordinator leads: one that has not given
 * the key back and whose beacon is heard within 3 s.
 */
export async function takeLead(options: LeadershipOptions): Promise<Leadership> {
  const { id, instance, transport } = options;
  for (let attempt = 1; attempt <= COORDINATOR_LIMITS.leadAttempts; attempt += 1) {
    const entry = await transport.state.get(LEADER_KEY);
    const held = entry === undefined ? undefined : (readLeader(entry.value) ?? (await unreadable(options)));
    if (held !== undefined && !held.isFree) await refuseRival(options, held);
    const mine: LeaderEntry = { v: 1, term: (held?.term ?? 0) + 1, leader: id, instance, isFree: false };
    const revision = await transport.state.compareAndSet(LEADER_KEY, writeLeader(mine), entry?.revision);
    if (revision !== undefined) return leadership(transport.state, mine, revision);
  }
  throw new LoadError("BUS_DENIED", "other coordinators take the lead again and again", {
    hint: "run one coordinator, or give each a --subject-prefix of its own",
  });
}

function leadership(state: StateStore, mine: LeaderEntry, revision: number): Leadership {
  return {
    term: mine.term,
    isHeld: async () => (await state.get(LEADER_KEY))?.revision === revision,
    release: async () => {
      try {
        await state.compareAndSet(LEADER_KEY, writeLeader({ ...mine, isFree: true }), revision);
      } catch (error) {
        // The next one waits for 3 s instead.
        if (!(error instanceof LoadError)) throw error;
      }
    },
  };
}

/**
 * Somebody wrote into the key what is no entry. Its term is lost with it, and agents ignore a lower one than they have
 * seen: the highest that records of runs and agents' heartbeats still name is taken for it.
 */
async function unreadable({ id, clock, transport, subjects }: LeadershipOptions): Promise<LeaderEntry> {
  const [records, agents] = await Promise.all([
    listRuns(transport),
    listAgents({ transport, subjects }, clock),
  ]);
  const term = Math.max(0, ...records.map((record) => record.term), ...agents.map((agent) => agent.term));
  return { v: 1, term, leader: id, instance: "", isFree: false };
}

async function refuseRival(options: LeadershipOptions, held: LeaderEntry): Promise<void> {
  const { clock, transport, subjects, instance } = options;
  const listening = pause(clock, COORDINATOR_LIMITS.rivalMs);
  let rival: string | undefined;
  const subscription = transport.bus.subscribe(subjects.beacon, ({ data }) => {
    try {
      const beacon = decodeBeacon(data);
      if (beacon.leaderInstance === instance || beacon.term < held.term) return;
      rival = beacon.leader;
      listening.hurry();
    } catch (error) {
      if (!(error instanceof LoadError)) throw error;
    }
  });
  await listening.over;
  subscription.close();
  if (rival === undefined) return;
  throw new LoadError("BUS_DENIED", `coordinator ${rival} leads here already (term ${held.term})`, {
    hint: "use that one, stop it, or give this one a --subject-prefix of its own",
  });
}

function writeLeader(entry: LeaderEntry): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(entry));
}

/** Undefined for what is no entry. */
function readLeader(bytes: Uint8Array): LeaderEntry | undefined {
  const value = parse(bytes);
  const term = value?.["term"];
  if (value?.["v"] !== 1 || typeof term !== "number" || !Number.isSafeInteger(term) || term < 0)
    return undefined;
  return {
    v: 1,
    term,
    leader: String(value["leader"] ?? ""),
    instance: String(value["instance"] ?? ""),
    isFree: value["isFree"] === true,
  };
}

function parse(bytes: Uint8Array): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(bytes));
    return typeof value === "object" && value !== null ? { ...value } : undefined;
  } catch {
    return undefined;
  }
}
