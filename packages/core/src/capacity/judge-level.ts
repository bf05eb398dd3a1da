import type { VitalsJudgement } from "../measure/judge-vitals.js";

/** What makes a level clean, and what makes its server the limit. */
export const LEVEL_LIMITS = {
  /** Between the server's stamp before a write and the client's of the read, p90. */
  stampErrorP90Us: 1_000,
  /** Of token events: those that falsely shared a read with another of their stream. */
  coalescedShare: 0.005,
  /** Of the events that were asked for, at the client, and of its steps, at the server. */
  leastShare: 0.95,
  /** Between when the writes of a group were due and the first of them at the server, p90. */
  serverLagP90Us: 200,
} as const;

/** One level as it was measured. Shares are 0 to 1. */
export interface LevelFigures {
  readonly askedEventsPerS: number;
  /** Token events that were read. */
  readonly eventsPerS: number;
  /** Infinite where a write was not known: its event is older than the level. */
  readonly stampErrorP90Us: number;
  readonly coalescedShare: number;
  /** Requests that failed. */
  readonly failed: number;
  readonly serverLagP90Us: number;
  /** Of the steps that were due in the level, those that the server made in it. */
  readonly serverShare: number;
}

/** `server-limited`: the null server was too late itself, so an unclean figure would prove nothing. */
export type LevelOutcome = "clean" | "unclean" | "server-limited";

export interface LevelJudgement {
  readonly outcome: LevelOutcome;
  /** Every figure of the client was as good as in a clean level. */
  readonly isClientClean: boolean;
  /** What was beyond its limit, with figure and limit. */
  readonly reasons: readonly string[];
}

/** Whether the client carried a level: true stamp errors first, then what an agent says of itself (`vitals`: the worst interval). */
export function judgeLevel(figures: LevelFigures, vitals: VitalsJudgement): LevelJudgement {
  const { stampErrorP90Us, coalescedShare, leastShare, serverLagP90Us } = LEVEL_LIMITS;
  const isCoalesced = figures.coalescedShare > coalescedShare;
  // Vitals speak of coalescing too.
  const isNews = (reason: string) => !isCoalesced || !reason.startsWith("coalesced");
  const client = [
    ...(figures.failed > 0 ? [`${figures.failed} requests failed`] : []),
    ...(figures.stampErrorP90Us > stampErrorP90Us
      ? [`stamps ${ms(figures.stampErrorP90Us)} late at p90 (limit ${ms(stampErrorP90Us)})`]
      : []),
    ...(isCoalesced
      ? [`coalesced ${percent(figures.coalescedShare)} (limit ${percent(coalescedShare)})`]
      : []),
    ...(vitals.colour === "green" ? [] : vitals.reasons.filter(isNews)),
    ...(figures.eventsPerS < figures.askedEventsPerS * leastShare
      ? [`only ${Math.round(figures.eventsPerS)} events/s were read`]
      : []),
  ];
  const isClientClean = client.length === 0;
  const server = [
    ...(figures.serverLagP90Us > serverLagP90Us
      ? [`the null server was ${ms(figures.serverLagP90Us)} late at p90 (limit ${ms(serverLagP90Us)})`]
      : []),
    ...(figures.serverShare < leastShare
      ? [`the null server made ${percent(figures.serverShare)} of its steps (limit ${percent(leastShare)})`]
      : []),
  ];
  if (server.length > 0) return { outcome: "server-limited", isClientClean, reasons: [...server, ...client] };
  return { outcome: isClientClean ? "clean" : "unclean", isClientClean, reasons: client };
}

function ms(us: number): string {
  return Number.isFinite(us) ? `${(us / 1000).toFixed(2)} ms` : "longer than the level";
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}
