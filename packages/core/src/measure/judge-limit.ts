import type { ServerSample } from "../run/facts.js";
import type { RunReport } from "../run/report.js";
import { VITALS_LIMITS, vitalsFactor } from "./judge-vitals.js";
import {
  type Gauges,
  type Growth,
  gaugesOf,
  growthTo,
  LEVELS_APART,
  type LimitRow,
} from "./limit-evidence.js";

/** The figures of the rules; docs/measuring.md explains each. */
export const LIMIT_RULES = {
  /** Red agent intervals, late or unsent requests, failures: beyond this share they spoil the sentence. */
  clientShare: 0.01,
  /** Mean in flight under this share of what was asked for. */
  fullShare: 0.95,
  /** Waiting at the target, of our in-flight, from which on it counts. */
  waitingShare: 0.05,
  /** Share of scrapes that must find waiting, or running at its bound. */
  standingShare: 0.75,
  kvFull: 0.95,
  /** Scrapes in a window without which its gauges say nothing. */
  scrapes: 3,
  /** Running and waiting at the target must be at least this share of our in-flight. */
  seenShare: 0.9,
  /** Elasticity of output to in-flight: at most this is saturated, ... */
  saturated: 0.25,
  /** ... and at least this is free. */
  free: 0.75,
  /** Elasticity of the inter-token time from which on it rises with the load. */
  itlRises: 0.5,
} as const;

export interface LimitInput {
  readonly red: { readonly red: number; readonly measured: number; readonly share: number };
  readonly levels: readonly {
    readonly row: LimitRow;
    /** The users asked for did not get in flight, though none of them thinks. */
    readonly isNeverFull: boolean;
  }[];
  /** Of the whole run. */
  readonly samples: readonly ServerSample[];
}

export type LimitedBy = NonNullable<RunReport["verdict"]["limitedBy"]>;

export interface Limit {
  /** Null: the evidence does not say; the sentence tells what it lacks. */
  readonly by: LimitedBy | null;
  readonly sentence: string;
}

/**
 * Who was the limit at the level of the greatest load, by the first rule that holds: client, KV cache, queue, compute,
 * nobody. A limit needs evidence for it, and `nobody` needs evidence against each of the others.
 */
export function judgeLimit(input: LimitInput): Limit {
  const { red, levels, samples } = input;
  if (red.measured > 0 && red.share > LIMIT_RULES.clientShare) {
    return client(
      `${red.red} of ${red.measured} measured agent intervals were red (${percent(red.share)}, limit ${percent(LIMIT_RULES.clientShare)})`,
    );
  }
  const top = topLevel(levels);
  if (top === undefined) return unknown("no level was measured");
  const { row } = top;
  const late = clientFault(top);
  if (late !== null) return client(`at level ${row.name} ${late}`);
  const gap = evidenceGap(row, samples);
  if (gap !== null) return unknown(gap);
  const gauges = gaugesOf(row, samples);
  return kvLimit(row) ?? queueLimit(row, gauges) ?? computeLimit(input, row);
}

/** The one for which most was asked, or of open load the one with most in flight; of equals the last. */
function topLevel(levels: LimitInput["levels"]): LimitInput["levels"][number] | undefined {
  const load = ({ row }: LimitInput["levels"][number]) => row.inFlight.asked ?? row.inFlight.mean;
  return levels
    .filter(({ row }) => row.windowMs > 0)
    .toSorted((a, b) => load(a) - load(b))
    .at(-1);
}

function clientFault({ row, isNeverFull }: LimitInput["levels"][number]): string | null {
  const { inFlight, requests, latencyUs, drops } = row;
  const { clientShare } = LIMIT_RULES;
  const late = drops["late"] ?? 0;
  if (late > clientShare * requests.offered) {
    return `${late} of ${requests.offered} due requests were never sent, because their time had passed`;
  }
  const limitUs = VITALS_LIMITS.scheduleLagP99Us.red * vitalsFactor(latencyUs.itl.p50);
  const { p99 } = latencyUs.scheduleLag;
  if (p99 !== null && p99 > limitUs) {
    return `requests began late, by ${ms(p99)} at p99 (limit ${ms(limitUs)})`;
  }
  // A user whose request nobody answered pauses: what is not in flight then is the target's doing.
  if (!isNeverFull || inFlight.asked === null || troubled(row) > clientShare) return null;
  return (
    `${number(inFlight.mean)} requests were in flight of ${inFlight.asked} asked for ` +
    `(limit ${percent(LIMIT_RULES.fullShare)}), though their requests did not fail`
  );
}

/** Share of requests that were lost or failed. */
function troubled({ requests }: LimitRow): number {
  return requests.offered === 0 ? 0 : (requests.failed + requests.unknown) / requests.offered;
}

/** Why the target's gauges cannot be used at all. */
function evidenceGap(row: LimitRow, samples: readonly ServerSample[]): string | null {
  if (samples.length === 0) return "the target's metrics were not read";
  const { scrapes } = gaugesOf(row, samples);
  // A page without this gauge is read as 0.
  if (row.server.kvUsageMax === 0 && (row.server.runningMean ?? 0) > 0) {
    return "the target does not say how full its KV cache is";
  }
  if (scrapes >= LIMIT_RULES.scrapes) return null;
  return `${scrapes} scrapes of the target's metrics fell into level ${row.name}, ${LIMIT_RULES.scrapes} are needed`;
}

function kvLimit(row: LimitRow): Limit | null {
  const { kvUsageMax, waitingMean, preemptions } = row.server;
  const preempted = preemptions ?? 0;
  if (kvUsageMax === null || kvUsageMax < LIMIT_RULES.kvFull) return null;
  if (preempted === 0 && !isWaiting(row)) return null;
  return {
    by: "kv",
    sentence:
      `The server's KV cache was the limit: at level ${row.name} it was up to ${percent(kvUsageMax)} full ` +
      `(limit ${percent(LIMIT_RULES.kvFull)}), ${number(waitingMean ?? 0)} requests waited on average and ` +
      `${preempted} were preempted.`,
  };
}

function isWaiting({ server, inFlight }: LimitRow): boolean {
  return (server.waitingMean ?? 0) > LIMIT_RULES.waitingShare * inFlight.mean;
}

/** Null where nothing to speak of waited. */
function queueLimit(row: LimitRow, gauges: Gauges): Limit | null {
  if (!isWaiting(row)) return null;
  const { scrapes, waitingScrapes, atBound, runningMost, runningFewest } = gauges;
  const kv = row.server.kvUsageMax ?? 0;
  const waited = `at level ${row.name} ${number(row.server.waitingMean ?? 0)} requests waited on average`;
  if (waitingScrapes < LIMIT_RULES.standingShare * scrapes) {
    return unknown(`${waited}, but only in ${waitingScrapes} of ${scrapes} scrapes`);
  }
  if (atBound < LIMIT_RULES.standingShare * waitingScrapes) {
    return unknown(
      `${waited} while ${runningFewest} to ${runningMost} ran: at no standing bound, and the KV cache was at most ${percent(kv)} full`,
    );
  }
  if (runningMost === 0 || (kv * (runningMost + 1)) / runningMost >= 1) {
    return unknown(
      `${waited} and ${runningMost} ran, but with the KV cache ${percent(kv)} full one more may not have fitted: queue or KV cache`,
    );
  }
  return {
    by: "queue",
    sentence:
      `The server's queue was the limit: ${waited} while it ran ${runningMost} and no more ` +
      `(in ${atBound} of ${waitingScrapes} scrapes), though its KV cache was at most ${percent(kv)} full: ` +
      "a bound on running requests, such as max_num_seqs.",
  };
}

/** Nothing waits, and the KV cache holds up nobody: does more in flight bring more? */
function computeLimit({ levels, samples, red }: LimitInput, row: LimitRow): Limit {
  const { runningMean, waitingMean, kvUsageMax, preemptions } = row.server;
  const kv = kvUsageMax ?? 0;
  if (kv >= LIMIT_RULES.kvFull || (preemptions ?? 0) > 0) {
    return unknown(
      `at level ${row.name} the KV cache was up to ${percent(kv)} full and ${preemptions ?? 0} requests were preempted, yet nothing stood waiting`,
    );
  }
  if (troubled(row) > LIMIT_RULES.clientShare) {
    const { failed, unknown: lost, offered } = row.requests;
    return unknown(`at level ${row.name} ${failed + lost} of ${offered} requests failed or were lost`);
  }
  if (row.tooShort) return unknown(`level ${row.name} is too short`);
  const seen = (runningMean ?? 0) + (waitingMean ?? 0);
  if (seen < LIMIT_RULES.seenShare * row.inFlight.mean) {
    return unknown(
      `at level ${row.name} the server saw ${number(seen)} of ${number(row.inFlight.mean)} requests in flight: the rest were before it, on the way or in its front end`,
    );
  }
  const growth = growthTo(
    row,
    levels.map((level) => level.row),
    samples,
  );
  if (growth === null) {
    return unknown(
      `level ${row.name} alone does not say whether more in flight brings more: a level with at most 1/${LEVELS_APART} of its load would`,
    );
  }
  return byGrowth(growth, {
    free: `${number(waitingMean ?? 0)} waited and the KV cache was at most ${percent(kv)} full`,
    red: `${red.red} of ${red.measured} agent intervals were red`,
  });
}

function byGrowth(growth: Growth, facts: { readonly free: string; readonly red: string }): Limit {
  const found = growthText(growth);
  if (growth.output >= LIMIT_RULES.free) {
    return { by: "nobody", sentence: `Nobody was the limit: ${found}; ${facts.free}, and ${facts.red}.` };
  }
  if (growth.output > LIMIT_RULES.saturated) {
    return unknown(
      `${found}: more than a saturated server's (power ${LIMIT_RULES.saturated}) and less than a free one's (${LIMIT_RULES.free}); ${facts.free}`,
    );
  }
  if (growth.itl < LIMIT_RULES.itlRises) {
    return unknown(`${found}: output stands, but not for the time between tokens; ${facts.free}`);
  }
  return { by: "compute", sentence: `The server's compute was the limit: ${found}, while ${facts.free}.` };
}

function growthText({ from, to, output, itl, source }: Growth): string {
  const factor = to.inFlight / from.inFlight;
  const where =
    source === "levels"
      ? `from ${number(from.inFlight)} in flight (${from.name}) to ${number(to.inFlight)} (${to.name}), x ${factor.toFixed(2)}`
      : `by the server's own times, from ${number(from.inFlight)} running to ${number(to.inFlight)} (${to.name}), x ${factor.toFixed(2)}`;
  return (
    `${where}, output grew x ${(factor ** output).toFixed(2)} (power ${output.toFixed(2)}) ` +
    `and the time between tokens x ${(factor ** itl).toFixed(2)}, to ${ms(to.itlUs)}`
  );
}

function client(evidence: string): Limit {
  return {
    by: "client",
    sentence: `The client was the limit, these numbers describe it and not the server: ${evidence}.`,
  };
}

function unknown(reason: string): Limit {
  return { by: null, sentence: `Who was the limit is not known: ${reason}.` };
}

function number(value: number): string {
  return value.toFixed(1);
}

function ms(us: number): string {
  return `${(us / 1000).toFixed(1)} ms`;
}

/** Two figures, so that 0.4 % is not shown as none. */
function percent(share: number): string {
  return `${Number((share * 100).toPrecision(2))} %`;
}
