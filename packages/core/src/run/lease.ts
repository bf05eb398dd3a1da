/** What stands under the leader's key: who leads, by which term. Its revision is what its holder moves. */
export interface LeaseEntry {
  readonly v: 1;
  readonly term: number;
  readonly leader: string;
  readonly instance: string;
  /** The one who held it has ended properly: nobody need wait. */
  readonly isFree: boolean;
}

/** Times of the lease, us of each process's own monotonic clock; no two clocks are ever compared. */
export const LEASE_LIMITS = {
  /** The holder moves the revision so often. */
  renewUs: 2_000_000,
  /** Who sees one revision for so long takes the lease. */
  takeAfterUs: 10_000_000,
  /**
   * The holder stops so long after the start of its last successful renewal: earlier than anybody can take it, since a
   * revision is seen only after its writing began.
   */
  stopAfterUs: 8_000_000,
  /** Others look so often, and whoever was not answered asks again. */
  lookUs: 500_000,
  /**
   * Who leads waits no longer for an answer about its lease: with the pause before it asks again, one that gets none asks as
   * often as one that renews, and so three times before it stops. A store that is gone and comes back empty answers none
   * of the questions that it was asked before, and only who still leads can write again what it had.
   */
  answerUs: 1_500_000,
  /** A leader whose agents have followed a higher term takes the lease anew at most so often: they may say what they like. */
  stepUpUs: 10_000_000,
  /** Terms beyond this are no claims but mistakes: epochs are made of them, and stay exact numbers. */
  mostTerm: 1_000_000_000,
  /** What agents say they have followed counts up to here: every takeover to come needs a term above it. */
  mostFollowedTerm: 900_000_000,
} as const;

export interface LeaseHold {
  readonly term: number;
  /** Of the key, by the last write of ours that is known. */
  readonly revision: number | undefined;
  /** Start of the write that made this revision, or when it was read. */
  readonly revisionUs: number;
  /** Start of the last renewal that succeeded. */
  readonly renewedUs: number;
}

/** One candidate's view of the lease. It waits for one answer of the store at a time; what it has given up may still be under way. */
export interface LeaseState {
  readonly id: string;
  readonly instance: string;
  /** Null while another one leads, or nobody. */
  readonly held: LeaseHold | null;
  /** What stood under the key when it was last read, and since when; null before, and after a loss. */
  readonly seen: {
    readonly revision: number | undefined;
    readonly sinceUs: number;
    readonly told: string;
  } | null;
  /** The highest that the store or agents have named: terms begin above it. */
  readonly highestTerm: number;
  /** When it last let go of a lease because agents had followed a higher term; null before. */
  readonly steppedUpUs: number | null;
  readonly open:
    | null
    | { readonly kind: "read" }
    | { readonly kind: "terms"; readonly revision: number | undefined }
    | { readonly kind: "take" | "renew"; readonly term: number; readonly startedUs: number };
  /** When to act next. */
  readonly nextUs: number;
}

export type LeaseEvent =
  | { readonly kind: "tick"; readonly nowUs: number }
  /** `entry`: null for what is none; undefined revision where the key is not there. */
  | {
      readonly kind: "read";
      readonly nowUs: number;
      readonly entry: LeaseEntry | null;
      readonly revision: number | undefined;
    }
  /** The highest term that records and agents name; answers "find-terms". */
  | { readonly kind: "terms"; readonly nowUs: number; readonly highest: number }
  /** Undefined: somebody else was first. */
  | { readonly kind: "written"; readonly nowUs: number; readonly revision: number | undefined }
  /** No answer: what was asked for may have been done all the same. */
  | { readonly kind: "unanswered"; readonly nowUs: number }
  /** A write that was begun at `startedUs`, and told of as unanswered, was done. */
  | {
      readonly kind: "written-late";
      readonly nowUs: number;
      readonly term: number;
      readonly startedUs: number;
      readonly revision: number;
    }
  /** The connection to the store was lost, and is there again: what was asked meanwhile was never sent. */
  | { readonly kind: "reconnected"; readonly nowUs: number }
  /** Somebody speaks under a higher term: a claim, to be looked into at once. */
  | { readonly kind: "rival"; readonly nowUs: number }
  /** An agent has followed a leader of a higher term, and ignores this one. */
  | { readonly kind: "followed"; readonly nowUs: number; readonly term: number };

export type LeaseEffect =
  | { readonly kind: "read" }
  /** The highest term that these name; answered by "terms". */
  | { readonly kind: "find-terms"; readonly from: "records" | "records and agents" }
  | { readonly kind: "write"; readonly entry: LeaseEntry; readonly expected: number | undefined }
  | { readonly kind: "lead"; readonly term: number }
  | { readonly kind: "stop"; readonly why: string }
  /** Somebody else leads; told once for each term. */
  | { readonly kind: "stand-by"; readonly leader: string; readonly term: number };

export interface LeaseStep {
  readonly state: LeaseState;
  readonly effects: readonly LeaseEffect[];
}

export function initialLease(me: { readonly id: string; readonly instance: string }): LeaseState {
  return {
    ...me,
    held: null,
    seen: null,
    highestTerm: 0,
    steppedUpUs: null,
    open: null,
    nextUs: Number.NEGATIVE_INFINITY,
  };
}

/** Whether the holder may still act: nobody else can have taken the lease yet. */
export function isLeaseValid({ held }: LeaseState, nowUs: number): boolean {
  return held !== null && nowUs - held.renewedUs < LEASE_LIMITS.stopAfterUs;
}

/** What becomes of a candidate, and what is to be asked of the store, for everything that can happen. Pure. */
export function stepLease(state: LeaseState, event: LeaseEvent): LeaseStep {
  const expired = expire(state, event.nowUs);
  const next = onEvent(expired.state, event);
  return { state: next.state, effects: [...expired.effects, ...next.effects] };
}

function onEvent(state: LeaseState, event: LeaseEvent): LeaseStep {
  switch (event.kind) {
    case "tick":
      return state.open === null && event.nowUs >= state.nextUs ? act(state, event.nowUs) : stay(state);
    case "read":
      return onRead({ ...state, open: null }, event);
    case "terms":
      return onTerms(state, event);
    case "written":
      return onWritten(state, event);
    case "unanswered":
      return stay({ ...state, open: null, nextUs: event.nowUs + LEASE_LIMITS.lookUs });
    case "written-late":
      return onWrittenLate(state, event);
    case "reconnected":
    case "rival":
      return lookNow(state, event.nowUs);
    case "followed":
      return onFollowed(state, event);
  }
}

function lookNow(state: LeaseState, nowUs: number): LeaseStep {
  return state.open === null ? act(state, nowUs) : stay({ ...state, nextUs: nowUs });
}

/** Looked into once, however often it is said. */
function onFollowed(
  state: LeaseState,
  { nowUs, term }: Extract<LeaseEvent, { kind: "followed" }>,
): LeaseStep {
  if (term <= state.highestTerm || term > LEASE_LIMITS.mostFollowedTerm) return stay(state);
  return lookNow({ ...state, highestTerm: term }, nowUs);
}

function expire(state: LeaseState, nowUs: number): LeaseStep {
  if (state.held === null || isLeaseValid(state, nowUs)) return stay(state);
  const seconds = LEASE_LIMITS.stopAfterUs / 1e6;
  return lose(state, nowUs, `the lease could not be renewed for ${seconds} s`);
}

function lose(state: LeaseState, nowUs: number, why: string): LeaseStep {
  return { state: { ...state, held: null, seen: null, nextUs: nowUs }, effects: [{ kind: "stop", why }] };
}

/** The holder moves the revision; everyone else looks whether it moves. */
function act(state: LeaseState, nowUs: number): LeaseStep {
  const { held } = state;
  if (held === null) return { state: { ...state, open: { kind: "read" } }, effects: [{ kind: "read" }] };
  return write(state, { kind: "renew", term: held.term, expected: held.revision }, nowUs);
}

function write(
  state: LeaseState,
  what: {
    readonly kind: "take" | "renew";
    readonly term: number;
    readonly expected: number | undefined;
  },
  nowUs: number,
): LeaseStep {
  const { id, instance } = state;
  const { kind, term, expected } = what;
  const entry: LeaseEntry = { v: 1, term, leader: id, instance, isFree: false };
  return {
    state: { ...state, open: { kind, term, startedUs: nowUs } },
    effects: [{ kind: "write", entry, expected }],
  };
}

function onRead(
  state: LeaseState,
  { nowUs, entry, revision }: Extract<LeaseEvent, { kind: "read" }>,
): LeaseStep {
  const highestTerm = Math.max(state.highestTerm, entry?.term ?? 0);
  const known = { ...state, highestTerm };
  if (state.held !== null) return onLookedUp(known, state.held, { nowUs, entry, revision });
  // Nobody has led here, or whoever did is not known to this process: what the records say must do.
  if (revision === undefined && state.seen === null) return findTerms(known, undefined, "records");
  const isSame = state.seen !== null && state.seen.revision === revision;
  const sinceUs = isSame ? (state.seen?.sinceUs ?? nowUs) : nowUs;
  const told = entry === null ? "" : `${entry.leader} ${entry.term}`;
  const watching: LeaseState = {
    ...known,
    seen: { revision, sinceUs, told },
    nextUs: nowUs + LEASE_LIMITS.lookUs,
  };
  const isOld = nowUs - sinceUs >= LEASE_LIMITS.takeAfterUs;
  if (entry === null) {
    // A key that has vanished as well: whoever holds the lease writes it again, and only it knows the run that it leads.
    if (!isOld) return stay(watching);
    // Its term is lost with it, and agents ignore a lower one than they have seen.
    return findTerms(watching, revision, "records and agents");
  }
  // Our own entry, though we do not lead: a write whose answer was lost, or a renewal that came too late.
  if (isOld || entry.isFree || entry.instance === state.instance)
    return write(watching, { kind: "take", term: highestTerm + 1, expected: revision }, nowUs);
  const isTold = state.seen?.told === told;
  return {
    state: watching,
    effects: isTold ? [] : [{ kind: "stand-by", leader: entry.leader, term: entry.term }],
  };
}

function findTerms(
  state: LeaseState,
  revision: number | undefined,
  from: Extract<LeaseEffect, { kind: "find-terms" }>["from"],
): LeaseStep {
  return { state: { ...state, open: { kind: "terms", revision } }, effects: [{ kind: "find-terms", from }] };
}

/** The holder's renewal was refused: by whom? */
function onLookedUp(
  state: LeaseState,
  held: LeaseHold,
  { nowUs, entry, revision }: Pick<Extract<LeaseEvent, { kind: "read" }>, "nowUs" | "entry" | "revision">,
): LeaseStep {
  const isOurs =
    entry !== null && entry.instance === state.instance && entry.term === held.term && !entry.isFree;
  // Terms never go down: whoever holds a lower one began in a store that had lost ours.
  const isBelow = entry !== null && entry.term < held.term;
  // An earlier write of ours whose answer was lost; or a store that was begun anew.
  if (isOurs || isBelow || revision === undefined) {
    const adopted = { ...state, held: { ...held, revision, revisionUs: nowUs } };
    return write(adopted, { kind: "renew", term: held.term, expected: revision }, nowUs);
  }
  const rival =
    entry === null
      ? "somebody has overwritten the lease"
      : `coordinator ${entry.leader} has taken the lead (term ${entry.term})`;
  return lose(state, nowUs, rival);
}

function onTerms(state: LeaseState, { nowUs, highest }: Extract<LeaseEvent, { kind: "terms" }>): LeaseStep {
  if (state.open?.kind !== "terms") return stay(state);
  const { revision } = state.open;
  const known = highest <= LEASE_LIMITS.mostFollowedTerm ? highest : 0;
  const term = Math.max(state.highestTerm, known) + 1;
  return write({ ...state, open: null }, { kind: "take", term, expected: revision }, nowUs);
}

function onWritten(
  state: LeaseState,
  { nowUs, revision }: Extract<LeaseEvent, { kind: "written" }>,
): LeaseStep {
  const { open } = state;
  const idle: LeaseState = { ...state, open: null };
  if (open?.kind !== "take" && open?.kind !== "renew") return stay(idle);
  if (revision === undefined) {
    // Whoever held it must know at once; another one looks when it would have looked anyway.
    if (state.held !== null)
      return { state: { ...state, open: { kind: "read" } }, effects: [{ kind: "read" }] };
    // Somebody was faster, and leads: should the key vanish before it is read, it is that one's for a while.
    const seen = state.seen ?? { revision: undefined, sinceUs: nowUs, told: "" };
    return stay({ ...idle, seen, nextUs: nowUs + LEASE_LIMITS.lookUs });
  }
  const { term, startedUs } = open;
  const held: LeaseHold = { term, revision, revisionUs: startedUs, renewedUs: startedUs };
  // Answered so late that somebody else may have taken it since: as if it had not been answered.
  if (nowUs - startedUs >= LEASE_LIMITS.stopAfterUs) return stay({ ...idle, nextUs: nowUs });
  const leading: LeaseState = {
    ...idle,
    held,
    highestTerm: Math.max(state.highestTerm, term),
    nextUs: startedUs + LEASE_LIMITS.renewUs,
  };
  if (open.kind === "take") return { state: leading, effects: [{ kind: "lead", term }] };
  // It had stopped meanwhile: it must take the lease anew.
  if (state.held === null) return stay({ ...idle, nextUs: nowUs });
  return isBehind(leading, nowUs) ? stepUp(leading, nowUs) : stay(leading);
}

/** It holds as long as one that was answered in time would: a store that takes less than 4 s costs no lead. */
function onWrittenLate(
  state: LeaseState,
  { nowUs, term, startedUs, revision }: Extract<LeaseEvent, { kind: "written-late" }>,
): LeaseStep {
  const { held } = state;
  // Of an earlier lead, or behind a renewal that came after it.
  if (held === null || held.term !== term || startedUs <= held.renewedUs) return stay(state);
  // What was read since then is newer than what this write made.
  const known = startedUs < held.revisionUs ? held : { revision, revisionUs: startedUs };
  const { revisionUs } = known;
  const leading = { ...state, held: { term, revision: known.revision, revisionUs, renewedUs: startedUs } };
  return isBehind(leading, nowUs) ? stepUp(leading, nowUs) : stay(leading);
}

/** The store has the lease as ours, and yet somebody has followed a higher term: agents ignore us until we have passed it. */
function isBehind({ held, highestTerm, steppedUpUs }: LeaseState, nowUs: number): boolean {
  const mayStep = steppedUpUs === null || nowUs - steppedUpUs >= LEASE_LIMITS.stepUpUs;
  return held !== null && highestTerm > held.term && mayStep;
}

function stepUp(state: LeaseState, nowUs: number): LeaseStep {
  const why = `agents have followed term ${state.highestTerm}, which this store has lost`;
  return lose({ ...state, steppedUpUs: nowUs }, nowUs, why);
}

function stay(state: LeaseState): LeaseStep {
  return { state, effects: [] };
}
