import { total } from "./counts.js";
import type { LevelData } from "./level-data.js";
import type { DropReason, FailureReason } from "./outcome.js";

/** With these nobody at the target saw the request. */
const NO_CONNECTION: readonly FailureReason[] = ["dns", "connect-refused", "connect-timeout", "tls"];

/** A wait explains a gap when it makes up so much of it. */
const WORTH_NAMING = 0.1;

/** Why the load that was asked for was not offered, a phrase each, by stated rules (docs/measuring.md); none for a full level. */
export function fillReasons(level: LevelData): string[] {
  return level.stage.kind === "rate" ? openReasons(level) : closedReasons(level);
}

/** Requests of the plan that no agent says it was offered. Nobody can say where intervals are missing. */
export function neverOffered({
  stimulus: { open },
  missing,
  lost,
}: Pick<LevelData, "stimulus" | "missing" | "lost">): number {
  if (open === null) return lost.neverSent;
  if (open.planned === null || missing.requests > 0) return 0;
  return Math.max(0, open.planned - open.offered);
}

const DROPS: Readonly<Record<DropReason, string>> = {
  late: "the client could not hand them over within maxLatenessMs",
  "in-flight-limit": "as many requests as maxInFlight allows were in flight",
};

function openReasons(level: LevelData): string[] {
  const { late, "in-flight-limit": limited } = level.due.dropped;
  const lost = neverOffered(level);
  return [
    ...((late ?? 0) > 0 ? [`${late} dropped late: ${DROPS.late}`] : []),
    ...((limited ?? 0) > 0 ? [`${limited} dropped at the in-flight limit: ${DROPS["in-flight-limit"]}`] : []),
    ...(lost > 0 ? [`${lost} never offered: ${lostAgents(level)} before they were due`] : []),
  ];
}

function lostAgents({ lost: { agents } }: LevelData): string {
  if (agents.length === 0) return "an agent ended";
  return `${agents.slice(0, 3).join(", ")}${agents.length > 3 ? ", ..." : ""} ${agents.length === 1 ? "was" : "were"} lost`;
}

function closedReasons(level: LevelData): string[] {
  if (neverOffered(level) > 0) return [`${lostAgents(level)} before it could send them`];
  if (!level.isNeverFull || level.windowUs === 0) return [];
  const { lost, stage } = level;
  const left =
    lost.users > 0 && stage.kind === "users"
      ? [
          `${lost.users} of ${stage.users} users were of agents that were lost: ${lost.agents.slice(0, 3).join(", ")}`,
        ]
      : [];
  const found = [...left, ...startReasons(level), ...unansweredReasons(level), ...waitReasons(level)];
  return found.length === 0 ? ["none of the known reasons shows in the counts"] : found;
}

function startReasons(level: LevelData): string[] {
  const {
    stage,
    stimulus: { closed },
  } = level;
  if (stage.kind !== "users" || closed === null) return [];
  const { usersAsked, neverStarted, startedLate, startedLateUs } = closed;
  const reasons: string[] = [];
  if (neverStarted !== null && neverStarted > 0) {
    reasons.push(`${neverStarted} of ${usersAsked} users sent no request in it`);
  }
  if (startedLateUs !== null && isWorthNaming(startedLateUs, level)) {
    const rampMs = Math.round((stage.rampUpUs + stage.settleUs) / 1000);
    reasons.push(
      `${startedLate} of ${usersAsked} users sent their first request only in its window: ` +
        `ramp and settling time (${rampMs} ms) were too short for them`,
    );
  }
  return reasons;
}

/** After a request that nobody answered its user pauses, and is not in flight. */
function unansweredReasons({ due, histograms }: LevelData): string[] {
  const failed = total(due.failed);
  const answered = histograms.get("headers")?.count ?? 0;
  const noConnection = NO_CONNECTION.reduce((sum, reason) => sum + (due.failed[reason] ?? 0), 0);
  // Every completed request was answered; of the other answers at most all belong to failed ones.
  const unanswered = Math.max(noConnection, failed - Math.max(0, answered - due.completed));
  if (unanswered === 0) return [];
  const named = NO_CONNECTION.filter((reason) => (due.failed[reason] ?? 0) > 0);
  const refused = named.map((reason) => `${reason} ${due.failed[reason]}`).join(", ");
  return [
    `${unanswered} of ${due.offered} requests were not answered at all` +
      `${refused === "" ? "" : ` (${refused})`}, and a user pauses 0.1 to 1 s after each`,
  ];
}

/** Time that users spent neither in flight nor thinking, as a mean number of users. */
function waitReasons(level: LevelData): string[] {
  const waits = [
    ["connect", "were opening connections"],
    ["scheduleLag", "waited for the client to send (schedule lag)"],
  ] as const;
  return waits.flatMap(([metric, what]) => {
    const waitedUs = level.histograms.get(metric)?.sum ?? 0;
    if (!isWorthNaming(waitedUs, level)) return [];
    return [`${(waitedUs / level.windowUs).toFixed(1)} users on average ${what}`];
  });
}

/** `lostUs`: users x us that were not in flight. */
function isWorthNaming(lostUs: number, { asked, inFlightMean, windowUs }: LevelData): boolean {
  const missing = (asked ?? 0) - inFlightMean;
  return lostUs >= WORTH_NAMING * missing * windowUs;
}
