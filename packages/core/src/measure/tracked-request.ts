import type { OpenBlock } from "./block-book.js";
import type { OpenTarget } from "./open-target.js";
import type { RequestSample } from "./recorder.js";
import type { Phase } from "./snapshot.js";

/** A request as the recorder keeps it. -1 stands for "not yet" in stamps that are compared for every token. */
export class TrackedRequest implements RequestSample {
  readonly stage: number;
  readonly phase: Phase;
  readonly dueUs: number;
  /** Of the (stage, phase) in which it was due. */
  readonly block: OpenBlock;
  readonly user: number | null;
  readonly askedPromptTokens: number | null;
  readonly askedOutputTokens: number;
  /** Index of its URL, where that one is kept apart; else -1. */
  readonly url: number;
  /** Its target's part of the block in which it was due; null where there is none. */
  readonly target: OpenTarget | null;
  /** Index of its workload's member, where these are kept apart; else -1. */
  readonly member: number;
  readonly images: number;
  sentUs: number | null = null;
  firstTokenUs: number | null = null;
  tokens = 0;
  ended = false;
  begun = false;
  hasHeaders = false;
  hasEvent = false;
  hasContent = false;
  /** The count of its stage was closed before it ended: from then on it is in the flow alone. */
  censored = false;
  /** It was offered when that count was closed already: censored once it is begun, but it may be dropped as any other. */
  isPastCount = false;
  /** The arrival that is still open: further events of the same read may join it. */
  arrivalUs = -1;
  arrivalTokens = 0;
  /** The arrival before that one. */
  previousArrivalUs = -1;
  lastTokenUs = -1;

  constructor(
    request: {
      readonly stage: number;
      readonly dueUs: number;
      readonly user: number | null;
      readonly askedPromptTokens: number | null;
      readonly askedOutputTokens: number;
      readonly images?: number;
    },
    block: OpenBlock,
    apart: { readonly url: number; readonly target: OpenTarget | null; readonly member: number },
  ) {
    this.stage = request.stage;
    this.phase = block.phase;
    this.dueUs = request.dueUs;
    this.user = request.user;
    this.askedPromptTokens = request.askedPromptTokens;
    this.askedOutputTokens = request.askedOutputTokens;
    this.block = block;
    this.url = apart.url;
    this.target = apart.target;
    this.images = request.images ?? 0;
    this.member = apart.member;
  }
}
