import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { ownedShards, type RunRecord, type RunReport, type Snapshot } from "@tokenstorm/core";
import { lineToResult } from "@tokenstorm/protocol";
import type { TruthRecord } from "../integration/cli.js";

/** From the last write of an answer until its reader has it, on a machine that is short of CPU. */
const SLOWEST_READ_US = 3_000_000;

/**
 * What was read just before the end of an interval may be booked just behind it, where something later was booked first:
 * the recorder's time does not go back. Only in which interval a request counts is at stake: sums are held to be equal.
 */
const LATE_IN_BOOKS_US = 100_000;

export interface Evidence {
  readonly record: RunRecord;
  readonly report: RunReport;
  readonly truth: readonly TruthRecord[];
  /** Where agents that lived to the end of the run have put the stamps of each request. */
  readonly stampsFolder: string;
  /** These lived to the end: without their stamps there is nothing to join, and counts must not do instead. */
  readonly lived: ReadonlySet<string>;
  /** Answers may be lost between the target, which finished them, and the agents. */
  readonly isWayBroken?: boolean | undefined;
}

/** What the join has looked at, for a test to see that there was something. */
export interface Joined {
  readonly finished: number;
  readonly completed: number;
  /** Requests of which an agent's own stamps tell, joined one by one. */
  readonly byId: number;
  /** Intervals whose count was held against stamps or the log. */
  readonly windows: number;
}

/**
 * Joins a report with the log of the target. A report holds counts per agent and interval, and no request ids: the ids
 * come from the stamps that an agent keeps for debugging, where it lived to write them, and each interval's count must
 * be theirs. Of an agent that was killed only its counts remain: up to each interval's end it can have completed no more
 * than the target had finished by then, and no less than it had finished some time before.
 */
export function joinTruth(evidence: Evidence): Joined {
  const { record, report } = evidence;
  const requests = evidence.truth.filter(({ id }) => id.startsWith(`ts-${record.id}-s`));
  assert.equal(new Set(requests.map(({ id }) => id)).size, requests.length, "a request was sent twice");
  const finished = requests.filter(({ finishReason }) => finishReason === "length");
  const snapshots = keptSnapshots(record);
  let [byId, windows] = [0, 0];
  for (const { agent } of record.shards) {
    const own: OwnEvidence = {
      ...evidence,
      agent,
      finished: finished.filter(({ id }) => isOwn(id, agent, record)),
      completedBySeq: countsBySeq(snapshots.filter((one) => one.agent === agent)),
    };
    const stamps = readStamps(evidence.stampsFolder, agent, record.id);
    assert.ok(stamps !== undefined || !evidence.lived.has(agent), `${agent} lived, and left no stamps`);
    if (stamps === undefined) joinByCount(own);
    else byId += joinById(own, stamps);
    windows += own.completedBySeq.size;
  }
  const counted = snapshots
    .flatMap(({ blocks }) => blocks)
    .reduce((sum, { flow }) => sum + flow.completed, 0);
  const { completed } = report.totals.requests;
  assert.equal(completed, counted, "the report's total is the sum of its intervals");
  assert.ok(completed <= finished.length, "nothing completed that the target did not finish");
  if (report.completeness.missing.length === 0 && isSpokenFor(report) && evidence.isWayBroken !== true)
    assert.equal(completed, finished.length, "nothing is missing, so all that finished is there");
  return { finished: finished.length, completed, byId, windows };
}

interface OwnEvidence extends Evidence {
  readonly agent: string;
  readonly finished: readonly TruthRecord[];
  readonly completedBySeq: ReadonlyMap<number, number>;
}

export interface Stamped {
  readonly id: string;
  /** Null where it never came to that. */
  readonly sentUs: number | null;
  readonly endUs: number;
  readonly outcome: string;
}

/** The number of requests that were joined. */
function joinById(own: OwnEvidence, stamps: readonly Stamped[]): number {
  const { agent, completedBySeq, finished, record } = own;
  const outcomes = new Map(stamps.map(({ id, outcome }) => [id, outcome]));
  assert.equal(outcomes.size, stamps.length, `${agent} has sent a request twice`);
  const finishedIds = new Set(finished.map(({ id }) => id));
  const completed = stamps.filter(({ outcome }) => outcome === "completed");
  for (const { id } of completed)
    assert.ok(finishedIds.has(id), `${id} completed, and the target did not finish it`);
  const mayBeUnread = record.stop.level === "cut" || own.isWayBroken === true;
  for (const id of finishedIds) {
    const outcome = outcomes.get(id);
    const isThere = outcome === "completed" || (mayBeUnread && outcome !== undefined);
    assert.ok(isThere, `the target finished ${id}; to ${agent} it is ${outcome ?? "not known"}`);
  }
  const stampedBySeq = new Map<number, number>();
  for (const { endUs } of completed) {
    const seq = seqOf(own, endUs);
    stampedBySeq.set(seq, (stampedBySeq.get(seq) ?? 0) + 1);
  }
  for (const [seq, count] of completedBySeq) {
    const isIn = completed.map(({ endUs }) =>
      [endUs, endUs + LATE_IN_BOOKS_US].map((us) => seqOf(own, us) === seq),
    );
    const least = isIn.filter((both) => both.every(Boolean)).length;
    const most = isIn.filter((both) => both.some(Boolean)).length;
    const said = `${agent} completed ${count} in interval ${seq}, and ${least} to ${most} by its own stamps`;
    assert.ok(count >= least && count <= most, said);
  }
  const missing = [...stampedBySeq].filter(([seq]) => !completedBySeq.has(seq));
  for (const [seq, count] of missing) assertNamed(own, seq, count);
  const counted = [...completedBySeq.values()].reduce((sum, count) => sum + count, 0);
  assert.ok(counted <= completed.length, `${agent} completed ${completed.length}, and not ${counted}`);
  if (missing.length === 0) assert.equal(counted, completed.length, `completed by ${agent} in all`);
  return completed.length;
}

function joinByCount(own: OwnEvidence): void {
  const { agent, completedBySeq, finished } = own;
  const endsUs = finished.map(({ endUs }) => endUs);
  const lastSeq = Math.max(0, ...completedBySeq.keys());
  let completed = 0;
  for (let seq = 1; seq <= lastSeq; seq += 1) {
    const count = completedBySeq.get(seq);
    if (count === undefined) {
      // Beyond a gap only the sum of both sides is known.
      assertNamed(own, seq, 1);
      return;
    }
    completed += count;
    const cutUs = zeroUs(own) + seq * intervalUs(own);
    const [most, least] = [cutUs, cutUs - SLOWEST_READ_US].map(
      (us) => endsUs.filter((endUs) => endUs < us).length,
    );
    assert.ok(
      completed <= (most ?? 0) && completed >= (least ?? 0),
      `${agent} completed ${completed} by the end of interval ${seq}; the target had finished ${least} to ${most}`,
    );
  }
  for (const endUs of endsUs) {
    const seq = seqOf(own, endUs);
    if (seq > lastSeq) assertNamed(own, seq, 1);
  }
}

/** An interval that is not in the result is named, or lies behind the last that a silent agent is known by. */
function assertNamed({ report, agent, completedBySeq }: OwnEvidence, seq: number, count: number): void {
  const isGap = report.completeness.missing.some(
    (gap) => gap.agent === agent && seq >= gap.from && seq <= gap.to,
  );
  const isSilent = report.verdict.reasons.some(
    (reason) => reason.startsWith("no final word") && reason.includes(`${agent} (`),
  );
  const isBehind = isSilent && seq > Math.max(0, ...completedBySeq.keys());
  assert.ok(isGap || isBehind, `${count} completed by ${agent} in interval ${seq}: not there, and not named`);
}

const isSpokenFor = ({ verdict }: RunReport): boolean =>
  !verdict.reasons.some((reason) => reason.startsWith("no final word"));

function countsBySeq(snapshots: readonly Snapshot[]): ReadonlyMap<number, number> {
  const counts = snapshots.map(
    ({ seq, blocks }) => [seq, blocks.reduce((sum, { flow }) => sum + flow.completed, 0)] as const,
  );
  const bySeq = new Map(counts);
  assert.equal(bySeq.size, counts.length, "an interval is kept twice");
  return bySeq;
}

/** The last leader has no interval and no final word in its run directory: nobody had begun. */
export const keptNothing = (record: RunRecord): boolean =>
  record.result === null || !existsSync(snapshotFile(record));

const snapshotFile = ({ result }: RunRecord): string => join(result?.directory ?? "", "snapshots.ndjson");

/** What the last leader has in its run directory. */
function keptSnapshots(record: RunRecord): Snapshot[] {
  return readLines(snapshotFile(record)).flatMap((line) => {
    const kept = lineToResult(line);
    return kept.kind === "snapshot" ? [kept.snapshot] : [];
  });
}

/** Undefined where the agent did not live to write them. */
export function readStamps(folder: string, agent: string, run: string): Stamped[] | undefined {
  const file = join(folder, `${agent}-1.jsonl`);
  if (!existsSync(file)) return undefined;
  const lines: (Stamped & { readonly kind: string })[] = readLines(file).map((line) => JSON.parse(line));
  if (lines.at(-1)?.kind !== "end") return undefined;
  return lines.filter(({ kind, id }) => kind === "request" && id.startsWith(`ts-${run}-s`));
}

function readLines(file: string): string[] {
  return readFileSync(file, "utf8")
    .split("\n")
    .filter((line) => line !== "");
}

/** By the shard map, as it stood in the request's stage. */
function isOwn(id: string, agent: string, record: RunRecord): boolean {
  const [, stage, number] = /-s(\d+)-[uk](\d+)-/.exec(id) ?? [];
  assert.ok(number !== undefined, `${id} has no key`);
  return ownedShards(record, agent, Number(stage)).some(
    ({ index, count }) => Number(number) % count === index,
  );
}

const intervalUs = ({ record }: Evidence): number => record.plan.intervalMs * 1000;
const zeroUs = ({ record, agent }: OwnEvidence): number => record.start?.localUs[agent] ?? 0;
/** By a stamp of the agent's own clock. */
const seqOf = (own: OwnEvidence, us: number): number => Math.floor((us - zeroUs(own)) / intervalUs(own)) + 1;
