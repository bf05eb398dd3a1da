import { notDelivered, notDrained } from "./agent-checks.js";
import { nameAgents } from "./agent-view.js";
import { LEADER_LIMITS } from "./leader-limits.js";
import { maySpeakAgain } from "./leader-loss.js";
import type { LeaderEffect, LeaderEvent, LeaderState, Transition } from "./leader-state.js";
import { finish, keep, write } from "./leader-transition.js";
import type { RecordChange } from "./record-change.js";
import type { RunRecord } from "./run-record.js";

type Look = Extract<LeaderEvent, { kind: "look" }>;

/** No agent sends anything new from now on. */
export function beginDrain(
  state: LeaderState,
  nowUs: number,
  fields: RecordChange["fields"],
  stop?: RunRecord["stop"],
): Transition {
  const draining: LeaderState = { ...state, step: { kind: "draining", sinceUs: nowUs } };
  const change = { name: "drain", fields: { ...fields, state: "draining" } } as const;
  return write(draining, stop === undefined ? change : { ...change, stop });
}

export function drain(state: LeaderState, event: Look): Transition {
  if (state.step.kind !== "draining") return keep(state);
  const { plan, stop } = state.record;
  const waiting = notDrained(state, event);
  const graceUs = stop.level === "cut" ? 0 : plan.gracePeriodMs * 1000;
  const isOver = event.nowUs - state.step.sinceUs >= graceUs + LEADER_LIMITS.drainMoreUs;
  if (waiting.length > 0 && !isOver) return keep(state);
  const note = `not drained in time: ${nameAgents(waiting)}`;
  const notes: LeaderEffect[] = waiting.length === 0 ? [] : [{ kind: "note", text: note }];
  const endUs = Math.max(0, event.nowUs - (state.record.start?.leaderUs ?? event.nowUs));
  const delivering: LeaderState = {
    ...state,
    endUs,
    step: { kind: "delivering", sinceUs: event.nowUs, isScraped: false },
  };
  return write(delivering, { name: "deliver", fields: { state: "delivering" } }, [
    ...notes,
    { kind: "drained", endUs },
    { kind: "scrape", when: "after" },
  ]);
}

export function deliver(state: LeaderState, event: Look): Transition {
  const { step, record } = state;
  if (step.kind !== "delivering") return keep(state);
  const waiting = state.isKeepingNothing ? [] : notDelivered(state, event);
  const sinceUs = event.nowUs - step.sinceUs;
  const isAwaited =
    !state.isKeepingNothing &&
    sinceUs < record.plan.deliverMs * 1000 &&
    maySpeakAgain(state, event).length > 0;
  if (waiting.length === 0 && step.isScraped && !isAwaited) return finish(state);
  const limitUs = record.plan.deliverMs * 1000 + LEADER_LIMITS.deliverMoreUs;
  if (sinceUs < limitUs) return keep(state);
  const text = `results not complete in time: ${nameAgents(waiting)}`;
  const finishing = finish(state);
  return { ...finishing, effects: [{ kind: "note", text }, ...finishing.effects] };
}
