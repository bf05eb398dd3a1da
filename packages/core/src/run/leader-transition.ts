import type { LeaderEffect, LeaderState, Transition } from "./leader-state.js";
import { applyChange, type RecordChange } from "./record-change.js";
import type { Problem } from "./run-record.js";

/** Nothing is to be done. */
export function keep(state: LeaderState): Transition {
  return { state, effects: [] };
}

/** As it will stand in the record; the store has the last word. */
export function write(
  state: LeaderState,
  change: RecordChange,
  then: readonly LeaderEffect[] = [],
): Transition {
  const record = applyChange(state.record, change) ?? state.record;
  return { state: { ...state, record }, effects: [{ kind: "write", change, notAfterUs: null }, ...then] };
}

/** The verdict. */
export function finish(state: LeaderState): Transition {
  return { state: { ...state, step: { kind: "finishing" } }, effects: [{ kind: "finish" }] };
}

/** Ends a run that has not begun. */
export function endEarly(state: LeaderState, problem: Problem): Transition {
  return finish(withProblem(state, problem));
}

/** The first problem stays. */
export function withProblem(state: LeaderState, problem: Problem): LeaderState {
  return { ...state, record: { ...state.record, problem: state.record.problem ?? problem } };
}
