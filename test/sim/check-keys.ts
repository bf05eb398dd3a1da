import assert from "node:assert/strict";
import {
  ownedShards,
  quotaOf,
  type ResolvedStage,
  type RunRecord,
  type RunReport,
  resolveStages,
} from "@tokenstorm/core";
import type { World } from "./world.js";

/** No key is ever sent twice, by one agent or by two. */
export function checkTruthIsUnique({ processes: { truth } }: World): void {
  const ids = new Set<string>();
  for (const { id, agent } of truth) {
    assert.ok(!ids.has(id), `${id} was sent twice, the second time by ${agent}`);
    ids.add(id);
  }
}

/** Whoever sent a key had it by the shard map, in that stage. */
export function checkOwners({ processes: { truth } }: World, record: RunRecord): void {
  for (const { id, agent, key } of truth) {
    const place = key.kind === "open" ? key.k : key.user;
    const isOwn = ownedShards(record, agent, key.stage).some(
      ({ index, count }) => place % count === index % count && place >= index,
    );
    // Also of one that was lost: until the stage in which others have it, its shard is its own.
    assert.ok(isOwn, `${id} was sent by ${agent}, whose it was not`);
  }
}

/** However long an agent was stopped: what was overdue then is dropped, and never sent at once. */
export function checkNoFlood({ processes: { truth } }: World, record: RunRecord): void {
  const { start, plan, stageStartsUs } = record;
  const firstRate = resolveStages(plan).findIndex(({ kind }) => kind === "rate");
  const loadUs = stageStartsUs[firstRate];
  if (start === null || loadUs == null) return;
  for (const { id, agent, sentUs } of truth) {
    const due = /-d(\d+)$/.exec(id)?.[1];
    if (due === undefined) continue;
    const lateUs = sentUs - (start.localUs[agent] ?? 0) - loadUs - Number(due);
    assert.ok(lateUs <= plan.maxLatenessMs * 1000, `${id} was sent ${lateUs} us after it was due`);
  }
}

const isSaidNeverReached = (reason: string, level: string): boolean =>
  reason.startsWith("the run never came to level") && reason.split(/[ ,]+/).includes(level);

/** Together the agents sent the plan's keys, and no others, in stages of which everybody's shard was somebody's. */
export function checkUnion({ processes: { truth } }: World, record: RunRecord, report: RunReport): void {
  const stages = resolveStages(record.plan);
  const losses = record.losses ?? [];
  for (const [index, stage] of stages.entries()) {
    const isMoved = (agent: string) =>
      (record.moves ?? []).some((move) => move.lost === agent && move.fromStage <= index);
    if (!losses.every(({ agent }) => isMoved(agent))) continue;
    const sent = truth.filter(({ key }) => key.stage === index).map(({ key }) => key);
    const planned = plannedKeys(stage);
    if (planned !== null) {
      const names = sent.map((key) => (key.kind === "closed" ? `${key.user}/${key.j}` : `${key.k}`));
      assert.deepEqual(
        names.sort(),
        [...planned].sort(),
        `stage ${stage.name}: the union of shards is the plan`,
      );
    } else if (stage.kind === "users") {
      const users = new Set(sent.map((key) => (key.kind === "closed" ? key.user : -1)));
      // Whoever stood still for a whole stage sent nothing in it, and the report says so.
      const notes = report.stages.find(({ name }) => name === stage.name)?.notes ?? [];
      const isSaid =
        notes.some((note) => /users sent no request in it|measured window was never reached/.test(note)) ||
        report.verdict.reasons.some((reason) => isSaidNeverReached(reason, stage.name));
      assert.ok(users.size === stage.users || isSaid, `stage ${stage.name}: every user sent`);
    } else if (report.completeness.missing.length === 0) {
      // An agent that was cut off heard of the load's start too late, and dropped what was overdue.
      const { offered = 0, dropped = 0 } =
        report.stages.find(({ name }) => name === stage.name)?.requests ?? {};
      const ks = new Set(sent.map((key) => (key.kind === "open" ? key.k : -1)));
      assert.equal(
        ks.size + dropped,
        offered,
        `stage ${stage.name}: what was offered and not sent was dropped`,
      );
      assert.ok(Math.max(...ks) - Math.min(...ks) < offered, `stage ${stage.name}: no arrival is left out`);
    }
  }
}

/** Null where the clock decides how many there are. */
function plannedKeys(stage: ResolvedStage): string[] | null {
  if (stage.kind !== "users" || stage.bound.kind !== "requests") return null;
  const { requests } = stage.bound;
  return Array.from({ length: stage.users }, (_, user) =>
    Array.from({ length: quotaOf(requests, user, stage.users) }, (_, j) => `${user}/${j}`),
  ).flat();
}
