import type { FailureReason, TokenSource } from "@tokenstorm/core";

/** One thing the server does. Steps come one after the other; the bytes of a write go to the kernel in one call. */
export type GoldenStep =
  | {
      readonly kind: "write";
      readonly bytes: Uint8Array;
      /** In pieces it would be another case, with another result. */
      readonly isWhole?: true;
    }
  /** The same bytes so many times, as fast as the client takes them. */
  | { readonly kind: "flood"; readonly bytes: Uint8Array; readonly times: number }
  | { readonly kind: "pause"; readonly ms: number }
  /** RST, and FIN. Both are the last step. */
  | { readonly kind: "reset" }
  | { readonly kind: "close" };

/** What a reader must make of one event. */
export interface Heard {
  readonly tokens: number;
  /** It carried content or text, not reasoning and not a tool call. */
  readonly content: boolean;
}

/** `at`: how many bytes of the answer are written when the event is complete, and not one earlier. */
export interface GoldenEvent extends Heard {
  readonly at: number;
}

export interface GoldenExpectation {
  readonly outcome: "completed" | FailureReason;
  /** How the server closed the answer with its count; null where it told none that can be believed. */
  readonly usage: { readonly prompt: number; readonly cachedPrompt: number; readonly output: number } | null;
  readonly source: TokenSource;
  /** The slot's next request goes out on the same connection. */
  readonly keepsSocket: boolean;
  /** Milliseconds from the request's arrival to its end, where a deadline ends it. */
  readonly endsAtMs: number | null;
  /** Content as a whole, without reasoning and tool calls; null where the answer is broken. */
  readonly text: string | null;
  readonly finish: string | null;
}

/** Deadlines of the plan that a case is played under. */
export interface GoldenLimits {
  readonly ttftMs: number;
  readonly stallMs: number;
  readonly totalMs: number;
}

/**
 * One answer to the byte, and beside it what a reader must make of it. Plain data: it knows no reader, and any that
 * stands behind the agent's `Target` can be held against it.
 */
export interface GoldenCase {
  /** Continues "a reader of ...". */
  readonly name: string;
  readonly steps: readonly GoldenStep[];
  /** Bytes written when the head of the answer is complete; null where it never is. */
  readonly headersAt: number | null;
  readonly events: readonly GoldenEvent[];
  readonly expect: GoldenExpectation;
  /** The length that was asked for; null where any will do. */
  readonly exactOutputTokens: number | null;
  readonly limits: GoldenLimits;
  /** The request first goes out on a used connection, which dies so at its first byte; the steps follow on a fresh one. */
  readonly staleDeath: "reset" | "close" | null;
}

/** Bytes, and what is complete with the last of them. */
export interface Piece {
  readonly bytes: Uint8Array;
  readonly ends?: Heard | "head";
}
/** A step as cases are written down: with what its bytes complete. */
export type PieceStep =
  | Exclude<GoldenStep, { kind: "write" }>
  | { readonly pieces: readonly Piece[]; readonly isWhole?: true };

export interface GoldenDraft {
  readonly steps: readonly PieceStep[];
  readonly expect: Partial<GoldenExpectation> & Pick<GoldenExpectation, "outcome">;
  readonly exactOutputTokens?: number | null;
  readonly limits?: Partial<GoldenLimits>;
  readonly staleDeath?: "reset" | "close";
}

/** Longer than anything that a case does on purpose. */
const LIMITS: GoldenLimits = { ttftMs: 60_000, stallMs: 60_000, totalMs: 600_000 };

export function goldenCase(name: string, draft: GoldenDraft): GoldenCase {
  const { events, headersAt } = marksOf(draft.steps);
  const isGood = draft.expect.outcome === "completed";
  return {
    name,
    steps: draft.steps.map(plainStep),
    headersAt,
    events,
    expect: {
      usage: null,
      source: "none",
      keepsSocket: isGood,
      endsAtMs: null,
      text: null,
      finish: null,
      ...draft.expect,
    },
    exactOutputTokens: draft.exactOutputTokens ?? null,
    limits: { ...LIMITS, ...draft.limits },
    staleDeath: draft.staleDeath ?? null,
  };
}

function plainStep(step: PieceStep): GoldenStep {
  if (!("pieces" in step)) return step;
  const { pieces, ...rest } = step;
  return { kind: "write", bytes: joined(pieces.map(({ bytes }) => bytes)), ...rest };
}

function marksOf(steps: readonly PieceStep[]): Pick<GoldenCase, "events" | "headersAt"> {
  const events: GoldenEvent[] = [];
  let headersAt: number | null = null;
  let at = 0;
  for (const step of steps) {
    if (!("pieces" in step)) continue;
    for (const { bytes, ends } of step.pieces) {
      at += bytes.length;
      if (ends === "head") headersAt = at;
      else if (ends !== undefined) events.push({ ...ends, at });
    }
  }
  return { events, headersAt };
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(Buffer.concat(parts));
}

/**
 * The same answer in other writes. `sizeOf` tells the length of the next write from the offset it begins at; pauses and
 * ends stay where they are between the bytes, and what must not be cut stays whole.
 */
export function resplit(example: GoldenCase, name: string, sizeOf: (offset: number) => number): GoldenCase {
  const steps: GoldenStep[] = [];
  let offset = 0;
  for (const step of example.steps) {
    if (step.kind !== "write" || step.isWhole === true) {
      steps.push(step);
      if (step.kind === "write") offset += step.bytes.length;
      continue;
    }
    for (let at = 0; at < step.bytes.length; ) {
      const size = Math.max(1, sizeOf(offset));
      const bytes = step.bytes.subarray(at, at + size);
      steps.push({ kind: "write", bytes });
      at += bytes.length;
      offset += bytes.length;
    }
  }
  return { ...example, name: `${example.name}, ${name}`, steps };
}

/** The same answer with all that is written between two pauses in one write. */
export function unsplit(example: GoldenCase, name: string): GoldenCase {
  const steps: GoldenStep[] = [];
  for (const step of example.steps) {
    const last = steps.at(-1);
    if (step.kind === "write" && last?.kind === "write") {
      steps[steps.length - 1] = { ...step, bytes: joined([last.bytes, step.bytes]) };
    } else {
      steps.push(step);
    }
  }
  return { ...example, name: `${example.name}, ${name}`, steps };
}
