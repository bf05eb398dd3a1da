import type { ClockJump, ClockTrack } from "../run/clock-track.js";
import type { AgentClock } from "../run/report.js";

export interface ClockSentenceInput {
  readonly shards: readonly string[];
  readonly tracks: readonly ClockTrack[];
  readonly byAgent: ReadonlyMap<string, AgentClock>;
  readonly skewLimitUs: number;
  /** Run time at the end of the drain, us; 0 where nobody saw it. */
  readonly endUs: number;
}

/** Agents that a sentence each is worth. */
const MOST_NAMED = 3;
/** The last comparison is made when all have drained; who answered so much before that was not in it. */
const AT_END_US = 5_000_000;

/** What a reader must know of the clocks, the gravest first; empty where nothing was amiss. */
export function clockSentences(input: ClockSentenceInput): string[] {
  return [...jumpSentences(input), ...skewSentences(input), ...absenceSentences(input)];
}

/** Where all clocks jump at once against the leader's, it was that one. */
function jumpSentences({ tracks }: ClockSentenceInput): string[] {
  const jumps = tracks.flatMap((track) => track.jumps.map((jump) => ({ track, jump })));
  const isLeaders = ({ track, jump }: (typeof jumps)[number]) => {
    const beside = tracks.filter(
      ({ term, first, last }) => term === track.term && first.runUs < jump.toUs && last.runUs > jump.fromUs,
    );
    return beside.length > 1 && beside.every((one) => one.jumps.some((other) => isSame(jump, other)));
  };
  const [leaders, agents] = [jumps.filter(isLeaders), jumps.filter((jump) => !isLeaders(jump))];
  const firsts = leaders.filter(
    (one, i) => !leaders.slice(0, i).some((e) => e.track.term === one.track.term && isSame(e.jump, one.jump)),
  );
  return bounded([
    ...firsts.map(
      ({ jump }) => `the coordinator's clock jumped by about ${signed(-jump.byUs)} ${between(jump)}`,
    ),
    ...agents.map(
      ({ track, jump }) =>
        `the clock of ${track.agent} jumped by ${signed(jump.byUs)} against the coordinator's ${between(jump)}: ` +
        "the intervals of that time are not those of the other agents",
    ),
  ]);
}

/** At overlapping times, in one direction. */
function isSame(one: ClockJump, other: ClockJump): boolean {
  return one.fromUs < other.toUs && other.fromUs < one.toUs && one.byUs > 0 === other.byUs > 0;
}

function skewSentences({ byAgent, skewLimitUs }: ClockSentenceInput): string[] {
  const off = [...byAgent].flatMap(([agent, { skew }]) => {
    if (skew === null) return [];
    const mostUs = Math.abs(skew.us) + skew.errorUs;
    return mostUs > skewLimitUs ? [{ agent, skew, mostUs }] : [];
  });
  const worst = off.sort((a, b) => b.mostUs - a.mostUs);
  return bounded(
    worst.map(
      ({ agent, skew, mostUs }) =>
        `the run time of ${agent} was ${signed(skew.us)} off the other agents' at ${seconds(skew.atMs * 1000)}, ` +
        `known within ${milliseconds(skew.errorUs)}: the edges of its intervals may have lain ${milliseconds(mostUs)} ` +
        `off theirs, more than 1 % of an interval (${milliseconds(skewLimitUs)})`,
    ),
  );
}

/** Who was never compared, or not at the end. */
function absenceSentences({ shards, tracks, endUs }: ClockSentenceInput): string[] {
  const lastUs = new Map<string, number>();
  for (const { agent, last } of tracks) lastUs.set(agent, last.runUs);
  const atEndUs = endUs > 0 ? endUs : Math.max(...lastUs.values());
  const never = shards.filter((agent) => !lastUs.has(agent));
  const early = [...lastUs].filter(([, runUs]) => atEndUs - runUs > AT_END_US);
  return [
    ...bounded(never.map((agent) => `the clock of ${agent} was never compared in the course of the run`)),
    ...bounded(
      early.map(
        ([agent, runUs]) =>
          `the clock of ${agent} was compared last at ${seconds(Math.max(0, runUs))}, ` +
          `${seconds(atEndUs - runUs)} before the end: how it went on is not known`,
      ),
    ),
  ];
}

function bounded(sentences: readonly string[]): string[] {
  const more = sentences.length - MOST_NAMED;
  return more > 0 ? [...sentences.slice(0, MOST_NAMED), `and ${more} more`] : [...sentences];
}

const between = ({ fromUs, toUs }: ClockJump) =>
  `between ${seconds(Math.max(0, fromUs))} and ${seconds(toUs)}`;
const seconds = (us: number) => `${(us / 1e6).toFixed(1)} s`;
const milliseconds = (us: number) => `${Number((us / 1000).toPrecision(3))} ms`;
const signed = (us: number) => `${us < 0 ? "-" : "+"}${milliseconds(Math.abs(us))}`;
