import assert from "node:assert/strict";
import type { RunRecord } from "@tokenstorm/core";
import type { Planned } from "./faults.js";
import { MOST_DRIFT_PPM } from "./processes.js";
import { RUN, type World } from "./world.js";

/** Sixteen exchanges of half a second at most, the time that a start lies ahead, and five round trips more. */
const COMPARED_BEFORE_US = 8_000_000 + 2_000_000 + 2_500_000;

/**
 * Agents begin together: of a committed start the zeros of every two lie no further apart in true time than their clock errors
 * say, and what two clocks may part by since they were compared. Nobody sends before its own.
 */
export function checkStart({ processes, scenario }: World, { start, shards }: RunRecord): void {
  if (start?.committed !== true) return;
  const zeros = shards.map(({ agent, instance, clockErrorUs }) => {
    const clock = processes.agents.find((one) => one.instance === instance)?.clock;
    const localUs = start.localUs[agent];
    assert.ok(clock !== undefined && localUs !== undefined, `${instance} has no start of its own`);
    return { agent, clockErrorUs, localUs, zeroUs: clock.worldUs(localUs) };
  });
  const driftUs = driftAllowanceUs(scenario.faults);
  for (const [i, one] of zeros.entries()) {
    for (const other of zeros.slice(0, i)) {
      const apartUs = Math.abs(one.zeroUs - other.zeroUs);
      const mostUs = one.clockErrorUs + other.clockErrorUs + driftUs;
      const what = `${one.agent} and ${other.agent} start ${apartUs} us apart, at most ${mostUs} were stated`;
      assert.ok(apartUs <= mostUs, what);
    }
    const early = processes.truth.find(({ agent, sentUs }) => agent === one.agent && sentUs < one.localUs);
    assert.equal(early, undefined, `${early?.id} was sent before time zero`);
  }
}

/** Each of the two parts from the leader's clock by twice the most drift, also while the leader or it stands still. */
function driftAllowanceUs(faults: readonly Planned[]): number {
  const pausedMs = faults.map(({ fault }) =>
    fault.kind === "pause-leader" || fault.kind === "pause-agent" ? fault.forMs : 0,
  );
  const comparedUs = COMPARED_BEFORE_US + pausedMs.reduce((sum, ms) => sum + ms * 1000, 0);
  return (4 * MOST_DRIFT_PPM * comparedUs) / 1e6 + ROUNDED_US;
}

/** Every clock shows whole microseconds, and an offset is one of them. */
const ROUNDED_US = 4;

/** A process is there for the next run so soon after its start: first it asks whether somebody else has its id. */
const FREE_WITHIN_US = 3_000_000;

/**
 * Only the processes that were admitted take part. Whoever comes back under an id, or comes late, sends nothing in the run under
 * way, and is free for the next.
 */
export function checkNewcomers({ clock, processes, watch }: World, { shards }: RunRecord): void {
  const admitted = new Set(shards.map(({ instance }) => instance));
  for (const { id, instance } of processes.truth)
    assert.ok(admitted.has(instance), `${id} was sent by ${instance}, which was not admitted`);
  for (const instance of watch.tookPart)
    assert.ok(admitted.has(instance), `${instance} took part in run ${RUN}, and was not admitted`);
  for (const { instance, clock: own, startedUs } of processes.agents) {
    const isAbsent = own.isDead || own.isPaused || clock.nowUs() - startedUs < FREE_WITHIN_US;
    if (isAbsent || admitted.has(instance)) continue;
    assert.equal(watch.said(instance)?.state, "idle", `${instance} is not free for the next run`);
  }
}
