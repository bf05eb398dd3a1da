import type { ClusterWatch } from "./cluster-watch.js";
import { HttpProblem } from "./problem.js";

export interface Leading {
  readonly leader: string;
  readonly term: number;
}

/**
 * Whether this coordinator leads: its own beacon comes back to it over the bus, which a process cannot pretend to
 * itself. Throws HttpProblem with the reason.
 */
export function requireLeading(watch: ClusterWatch, instance: string): Leading {
  const beacon = watch.roster.leader();
  if (watch.busTrouble !== null) throw notLeading(watch.busTrouble);
  if (beacon === undefined)
    throw notLeading("no beacon has come over NATS for some seconds: nobody leads yet");
  if (beacon.leaderInstance !== instance) throw notLeading(`coordinator ${beacon.leader} leads`);
  return { leader: beacon.leader, term: beacon.term };
}

const notLeading = (why: string) => new HttpProblem("NOT_LEADING", why);
