import assert from "node:assert/strict";
import { test } from "node:test";
import {
  initialLease,
  isLeaseValid,
  LEASE_LIMITS,
  type LeaseEffect,
  type LeaseEntry,
  type LeaseEvent,
  type LeaseState,
  stepLease,
} from "./lease.js";

/** A candidate, with what it asked for. */
class Candidate {
  state: LeaseState;
  effects: readonly LeaseEffect[] = [];

  constructor(id: string) {
    this.state = initialLease({ id, instance: `${id}-1` });
  }

  hear(event: LeaseEvent): readonly LeaseEffect[] {
    const { state, effects } = stepLease(this.state, event);
    this.state = state;
    this.effects = effects;
    return effects;
  }

  kinds(): string[] {
    return this.effects.map(({ kind }) => kind);
  }
}

const S = 1_000_000;
const held = (leader: string, term: number): LeaseEntry => ({
  v: 1,
  term,
  leader,
  instance: `${leader}-1`,
  isFree: false,
});

function leading(): Candidate {
  const one = new Candidate("c1");
  one.hear({ kind: "tick", nowUs: 0 });
  one.hear({ kind: "read", nowUs: 0, entry: null, revision: undefined });
  assert.deepEqual(one.effects, [{ kind: "find-terms", from: "records" }]);
  one.hear({ kind: "terms", nowUs: 0, highest: 0 });
  one.hear({ kind: "written", nowUs: 10, revision: 1 });
  assert.deepEqual(one.effects, [{ kind: "lead", term: 1 }]);
  return one;
}

test("a key that is not there is taken at once, and moved every two seconds", () => {
  const one = leading();
  one.hear({ kind: "tick", nowUs: LEASE_LIMITS.renewUs - 1 });
  assert.deepEqual(one.effects, []);
  one.hear({ kind: "tick", nowUs: LEASE_LIMITS.renewUs });
  assert.deepEqual(one.effects, [{ kind: "write", entry: held("c1", 1), expected: 1 }]);
});

test("one revision that is seen for ten seconds is taken, under the next term; one that moves is not", () => {
  const other = new Candidate("c2");
  const look = (nowUs: number, revision: number) => {
    other.hear({ kind: "tick", nowUs });
    assert.deepEqual(other.kinds(), ["read"]);
    return other.hear({ kind: "read", nowUs, entry: held("c1", 3), revision });
  };
  assert.deepEqual(look(0, 1), [{ kind: "stand-by", leader: "c1", term: 3 }]);
  assert.deepEqual(look(9 * S, 1), []);
  assert.deepEqual(look(11 * S, 2), [], "it moved: the time begins anew");
  assert.deepEqual(look(20 * S, 2), []);
  assert.deepEqual(look(21 * S, 2), [{ kind: "write", entry: held("c2", 4), expected: 2 }]);
});

test("a holder stops eight seconds after the start of its last renewal, whatever is under way", () => {
  const one = leading();
  one.hear({ kind: "tick", nowUs: 2 * S });
  one.hear({ kind: "written", nowUs: 6 * S, revision: 2 });
  assert.ok(isLeaseValid(one.state, 10 * S - 1), "counted from the start, not from the answer");
  assert.ok(!isLeaseValid(one.state, 10 * S));
  one.hear({ kind: "tick", nowUs: 7 * S });
  assert.deepEqual(one.kinds(), ["write"]);
  one.hear({ kind: "tick", nowUs: 10 * S });
  assert.deepEqual(one.kinds(), ["stop"]);
  // The renewal comes through in the end: its own entry, which it must take anew.
  one.hear({ kind: "written", nowUs: 11 * S, revision: 3 });
  assert.deepEqual(one.effects, []);
  one.hear({ kind: "tick", nowUs: 11 * S });
  one.hear({ kind: "read", nowUs: 11 * S, entry: held("c1", 1), revision: 3 });
  assert.deepEqual(one.effects, [{ kind: "write", entry: held("c1", 2), expected: 3 }]);
});

test("a renewal that is refused because its own answer was lost does not end a lead", () => {
  const one = leading();
  one.hear({ kind: "tick", nowUs: 2 * S });
  one.hear({ kind: "unanswered", nowUs: 3 * S });
  one.hear({ kind: "tick", nowUs: 3.5 * S });
  one.hear({ kind: "written", nowUs: 3.5 * S, revision: undefined });
  assert.deepEqual(one.kinds(), ["read"]);
  one.hear({ kind: "read", nowUs: 3.6 * S, entry: held("c1", 1), revision: 2 });
  assert.deepEqual(one.effects, [{ kind: "write", entry: held("c1", 1), expected: 2 }]);
  one.hear({ kind: "written", nowUs: 3.7 * S, revision: 3 });
  assert.ok(isLeaseValid(one.state, 11 * S));
});

test("a renewal that was given up holds from its start once it is answered, and the next one goes by its revision", () => {
  const one = leading();
  one.hear({ kind: "tick", nowUs: 2 * S });
  one.hear({ kind: "unanswered", nowUs: 3.5 * S });
  one.hear({ kind: "tick", nowUs: 4 * S });
  one.hear({ kind: "written-late", nowUs: 5 * S, term: 1, startedUs: 2 * S, revision: 2 });
  one.hear({ kind: "unanswered", nowUs: 5.5 * S });
  assert.ok(isLeaseValid(one.state, 10 * S - 1));
  assert.ok(!isLeaseValid(one.state, 10 * S), "counted from its start");
  one.hear({ kind: "tick", nowUs: 6 * S });
  assert.deepEqual(one.effects, [{ kind: "write", entry: held("c1", 1), expected: 2 }]);
});

test("a late answer changes nothing where a later renewal holds, or the lead that it was for is over", () => {
  const one = leading();
  one.hear({ kind: "tick", nowUs: 2 * S });
  one.hear({ kind: "unanswered", nowUs: 3.5 * S });
  one.hear({ kind: "tick", nowUs: 4 * S });
  one.hear({ kind: "written", nowUs: 4 * S, revision: 3 });
  one.hear({ kind: "written-late", nowUs: 5 * S, term: 1, startedUs: 2 * S, revision: 2 });
  assert.deepEqual(one.state.held, { term: 1, revision: 3, revisionUs: 4 * S, renewedUs: 4 * S });
  one.hear({ kind: "followed", nowUs: 6 * S, term: 7 });
  one.hear({ kind: "written", nowUs: 6 * S, revision: 4 });
  assert.deepEqual(one.kinds(), ["stop"]);
  one.hear({ kind: "written-late", nowUs: 7 * S, term: 1, startedUs: 6.5 * S, revision: 5 });
  assert.equal(one.state.held, null);
  one.hear({ kind: "tick", nowUs: 7 * S });
  one.hear({ kind: "read", nowUs: 7 * S, entry: held("c1", 1), revision: 5 });
  one.hear({ kind: "written", nowUs: 7 * S, revision: 6 });
  one.hear({ kind: "written-late", nowUs: 8 * S, term: 1, startedUs: 7.5 * S, revision: 5 });
  assert.deepEqual(one.state.held, { term: 8, revision: 6, revisionUs: 7 * S, renewedUs: 7 * S });
});

test("a late answer does not put back the revision that was read after its question", () => {
  const one = leading();
  one.hear({ kind: "tick", nowUs: 2 * S });
  one.hear({ kind: "unanswered", nowUs: 3.5 * S });
  one.hear({ kind: "tick", nowUs: 4 * S });
  one.hear({ kind: "written", nowUs: 4 * S, revision: undefined });
  one.hear({ kind: "read", nowUs: 4.1 * S, entry: held("c1", 1), revision: 3 });
  one.hear({ kind: "written-late", nowUs: 5 * S, term: 1, startedUs: 2 * S, revision: 2 });
  assert.deepEqual(one.state.held, { term: 1, revision: 3, revisionUs: 4.1 * S, renewedUs: 2 * S });
  one.hear({ kind: "unanswered", nowUs: 5.6 * S });
  one.hear({ kind: "written-late", nowUs: 6 * S, term: 1, startedUs: 4.1 * S, revision: 4 });
  assert.deepEqual(one.state.held, { term: 1, revision: 4, revisionUs: 4.1 * S, renewedUs: 4.1 * S });
});

test("a holder whose connection is there again asks at once, and so does one that looks", () => {
  const one = leading();
  one.hear({ kind: "tick", nowUs: 2 * S });
  one.hear({ kind: "unanswered", nowUs: 3 * S });
  one.hear({ kind: "reconnected", nowUs: 3 * S });
  assert.deepEqual(one.effects, [{ kind: "write", entry: held("c1", 1), expected: 1 }]);
  const other = new Candidate("c2");
  other.hear({ kind: "reconnected", nowUs: 0 });
  assert.deepEqual(other.kinds(), ["read"]);
});

test("a holder whose lease another one has taken stops, and so does one whose key was overwritten", () => {
  for (const entry of [held("c2", 2), null]) {
    const one = leading();
    one.hear({ kind: "rival", nowUs: S });
    one.hear({ kind: "written", nowUs: S, revision: undefined });
    one.hear({ kind: "read", nowUs: S, entry, revision: 9 });
    assert.deepEqual(one.kinds(), ["stop"]);
    assert.equal(one.state.held, null);
  }
});

test("a holder whose store was begun anew takes its key again, under its own term", () => {
  const one = leading();
  one.hear({ kind: "tick", nowUs: 2 * S });
  one.hear({ kind: "written", nowUs: 2 * S, revision: undefined });
  one.hear({ kind: "read", nowUs: 2 * S, entry: null, revision: undefined });
  assert.deepEqual(one.effects, [{ kind: "write", entry: held("c1", 1), expected: undefined }]);
});

test("a key that holds no entry is taken when it is old, above every term that is known", () => {
  const one = new Candidate("c1");
  const look = (nowUs: number) => {
    one.hear({ kind: "tick", nowUs });
    one.hear({ kind: "read", nowUs, entry: null, revision: 5 });
  };
  look(0);
  assert.deepEqual(one.effects, []);
  look(10 * S);
  assert.deepEqual(one.kinds(), ["find-terms"]);
  one.hear({ kind: "terms", nowUs: 11 * S, highest: 6 });
  assert.deepEqual(one.effects, [{ kind: "write", entry: held("c1", 7), expected: 5 }]);
});

test("a lease that was given back is taken at once; who comes second stands by", () => {
  const one = new Candidate("c1");
  one.hear({ kind: "tick", nowUs: 0 });
  one.hear({ kind: "read", nowUs: 0, entry: { ...held("c0", 4), isFree: true }, revision: 8 });
  assert.deepEqual(one.effects, [{ kind: "write", entry: held("c1", 5), expected: 8 }]);
  one.hear({ kind: "written", nowUs: 0, revision: undefined });
  assert.deepEqual(one.effects, []);
  one.hear({ kind: "tick", nowUs: LEASE_LIMITS.lookUs });
  one.hear({ kind: "read", nowUs: LEASE_LIMITS.lookUs, entry: held("c2", 5), revision: 9 });
  assert.deepEqual(one.effects, [{ kind: "stand-by", leader: "c2", term: 5 }]);
});

test("a take that is answered after eight seconds leads nobody: another one may have taken it since", () => {
  const one = new Candidate("c1");
  one.hear({ kind: "tick", nowUs: 0 });
  one.hear({ kind: "read", nowUs: 0, entry: null, revision: undefined });
  one.hear({ kind: "terms", nowUs: 0, highest: 0 });
  one.hear({ kind: "written", nowUs: LEASE_LIMITS.stopAfterUs, revision: 1 });
  assert.deepEqual(one.effects, []);
  assert.equal(one.state.held, null);
});

test("a key that has vanished is taken above every term that the records name", () => {
  const one = new Candidate("c9");
  one.hear({ kind: "tick", nowUs: 0 });
  one.hear({ kind: "read", nowUs: 0, entry: null, revision: undefined });
  one.hear({ kind: "terms", nowUs: 0, highest: 6 });
  assert.deepEqual(one.effects, [{ kind: "write", entry: held("c9", 7), expected: undefined }]);
});

test("a standby gives the holder of a key that vanished the time to write it again", () => {
  const other = new Candidate("c2");
  const look = (nowUs: number, entry: LeaseEntry | null, revision: number | undefined) => {
    other.hear({ kind: "tick", nowUs });
    other.hear({ kind: "read", nowUs, entry, revision });
  };
  look(0, held("c1", 3), 7);
  look(S, null, undefined);
  assert.deepEqual(other.effects, []);
  look(10 * S, null, undefined);
  assert.deepEqual(other.effects, []);
  look(11 * S, null, undefined);
  assert.deepEqual(other.effects, [{ kind: "find-terms", from: "records and agents" }]);
  other.hear({ kind: "terms", nowUs: 12 * S, highest: 0 });
  assert.deepEqual(
    other.effects,
    [{ kind: "write", entry: held("c2", 4), expected: undefined }],
    "c1's was 3",
  );
});

test("a holder whose key was lost takes it back from one that began below its term", () => {
  const one = leading();
  one.hear({ kind: "followed", nowUs: S, term: 5 });
  one.hear({ kind: "written", nowUs: S, revision: 2 });
  one.hear({ kind: "tick", nowUs: S });
  one.hear({ kind: "read", nowUs: S, entry: held("c1", 1), revision: 2 });
  one.hear({ kind: "written", nowUs: S, revision: 3 });
  assert.deepEqual(one.effects, [{ kind: "lead", term: 6 }]);
  one.hear({ kind: "tick", nowUs: 3 * S });
  one.hear({ kind: "written", nowUs: 3 * S, revision: undefined });
  one.hear({ kind: "read", nowUs: 3 * S, entry: held("c2", 1), revision: 1 });
  assert.deepEqual(one.effects, [{ kind: "write", entry: held("c1", 6), expected: 1 }]);
});

test("a holder whose agents have followed a higher term than its store knows takes the lease anew above it", () => {
  const one = leading();
  one.hear({ kind: "followed", nowUs: S, term: 7 });
  assert.deepEqual(one.kinds(), ["write"], "the store is asked first");
  one.hear({ kind: "followed", nowUs: S, term: 7 });
  assert.deepEqual(one.effects, [], "a claim is looked into once");
  one.hear({ kind: "written", nowUs: S, revision: 2 });
  assert.deepEqual(one.kinds(), ["stop"]);
  one.hear({ kind: "tick", nowUs: S });
  one.hear({ kind: "read", nowUs: S, entry: held("c1", 1), revision: 2 });
  assert.deepEqual(one.effects, [{ kind: "write", entry: held("c1", 8), expected: 2 }]);
  one.hear({ kind: "written", nowUs: S, revision: 3 });
  assert.deepEqual(one.effects, [{ kind: "lead", term: 8 }]);
});

test("so does one whose store answers late, whatever is under way", () => {
  const one = leading();
  one.hear({ kind: "followed", nowUs: S, term: 7 });
  one.hear({ kind: "unanswered", nowUs: 2.5 * S });
  one.hear({ kind: "tick", nowUs: 3 * S });
  assert.deepEqual(one.kinds(), ["write"]);
  one.hear({ kind: "written-late", nowUs: 4 * S, term: 1, startedUs: S, revision: 2 });
  assert.deepEqual(one.kinds(), ["stop"]);
  one.hear({ kind: "written", nowUs: 4.1 * S, revision: undefined });
  one.hear({ kind: "tick", nowUs: 5 * S });
  one.hear({ kind: "read", nowUs: 5 * S, entry: held("c1", 1), revision: 2 });
  assert.deepEqual(one.effects, [{ kind: "write", entry: held("c1", 8), expected: 2 }]);
  one.hear({ kind: "written", nowUs: 8 * S, revision: 3 });
  assert.deepEqual(one.effects, [{ kind: "lead", term: 8 }]);
});

test("claims of higher terms interrupt a lead at most once in ten seconds, and beyond all bounds never", () => {
  const one = leading();
  for (const term of [LEASE_LIMITS.mostFollowedTerm + 1, LEASE_LIMITS.mostTerm, LEASE_LIMITS.mostTerm + 1]) {
    one.hear({ kind: "followed", nowUs: S, term });
    assert.deepEqual(one.effects, [], `no takeover would have a term above ${term}`);
  }
  one.hear({ kind: "followed", nowUs: S, term: 7 });
  one.hear({ kind: "written", nowUs: S, revision: 2 });
  one.hear({ kind: "tick", nowUs: S });
  one.hear({ kind: "read", nowUs: S, entry: held("c1", 1), revision: 2 });
  one.hear({ kind: "written", nowUs: S, revision: 3 });
  one.hear({ kind: "followed", nowUs: 2 * S, term: 90 });
  one.hear({ kind: "written", nowUs: 2 * S, revision: 4 });
  assert.deepEqual(one.effects, []);
  one.hear({ kind: "tick", nowUs: 9 * S });
  one.hear({ kind: "written", nowUs: 9 * S, revision: 5 });
  assert.deepEqual(one.effects, []);
  one.hear({ kind: "tick", nowUs: 11 * S });
  one.hear({ kind: "written", nowUs: 11 * S, revision: 6 });
  assert.deepEqual(one.kinds(), ["stop"]);
});

test("whoever was too late for a key that vanishes before it is read gives the faster one its time as well", () => {
  const late = new Candidate("c2");
  const look = (nowUs: number) => {
    late.hear({ kind: "tick", nowUs });
    late.hear({ kind: "read", nowUs, entry: null, revision: undefined });
  };
  look(0);
  late.hear({ kind: "terms", nowUs: 0, highest: 0 });
  late.hear({ kind: "written", nowUs: 0, revision: undefined });
  look(S);
  assert.deepEqual(late.effects, []);
  look(9 * S);
  assert.deepEqual(late.effects, []);
  look(10 * S);
  assert.deepEqual(late.kinds(), ["find-terms"]);
});
