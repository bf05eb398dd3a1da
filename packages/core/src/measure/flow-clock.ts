import { assert } from "../errors.js";
import type { BlockBook, OpenBlock } from "./block-book.js";
import { type Segment, type StageTimes, segmentAt, segmentsOf, stageEdgeUs } from "./stage-clock.js";

/** No boundary lies ahead, or it is not known yet. */
const NEVER = Number.POSITIVE_INFINITY;

export interface FlowClockOptions {
  readonly times: StageTimes;
  readonly intervalUs: number;
  readonly gracePeriodUs: number;
  readonly book: BlockBook;
  /** The interval [fromUs, toUs) is over; everything that happened in it is in the book. */
  readonly onCut: (fromUs: number, toUs: number) => void;
  /** Edge and grace time of a stage are over. */
  readonly onClose: (stage: number, tUs: number) => void;
}

/**
 * Time as a recorder knows it, and what belongs to the time at which it happens: the segment, and the requests in
 * flight. Time moves only by the stamps that come in. Before anything is counted, `at` crosses every boundary up to
 * its stamp, each at its own moment: the interval is cut, the next segment begins, a stage's count is closed. So
 * nothing depends on when a timer ran. A stamp on a boundary belongs to what follows.
 */
export class FlowClock {
  readonly #options: FlowClockOptions;
  readonly #isClosed: boolean[];
  #times: StageTimes;
  #segments: readonly Segment[];
  #block: OpenBlock;
  #nowUs = 0;
  #boundaryUs = 0;
  #intervalFromUs = 0;
  /** Up to here the in-flight integral is counted. */
  #settledUs = 0;
  #inFlight = 0;
  /** Tokens taken back by usage that the interval had not enough of. */
  #tokenDebt = 0;

  constructor(options: FlowClockOptions) {
    const { intervalUs, times } = options;
    assert(Number.isSafeInteger(intervalUs) && intervalUs > 0, `not an interval: ${intervalUs} us`);
    this.#options = options;
    this.#times = times;
    this.#isClosed = times.stages.map(() => false);
    this.#segments = segmentsOf(times);
    const { stage, phase } = segmentAt(this.#segments, 0);
    this.#block = options.book.block(stage, phase);
    this.#observeInFlight();
    this.#boundaryUs = this.#nextBoundaryUs();
  }

  /** Latest stamp seen. */
  get nowUs(): number {
    return this.#nowUs;
  }

  get times(): StageTimes {
    return this.#times;
  }

  /** The block of the current (stage, phase), about to be written to. */
  get block(): OpenBlock {
    if (!this.#block.touched) this.#options.book.touch(this.#block);
    return this.#block;
  }

  isClosed(stage: number): boolean {
    return this.#isClosed[stage] === true;
  }

  /** Goes on to a stamp; one from the past is taken for the latest seen. */
  at(tUs: number): void {
    if (!Number.isSafeInteger(tUs)) assert(false, `not a stamp: ${tUs}`);
    while (this.#boundaryUs <= tUs) this.#cross(this.#boundaryUs);
    if (tUs > this.#nowUs) this.#nowUs = tUs;
  }

  /** More is known of the stages' times from now on. */
  retime(times: StageTimes): void {
    this.#settle(this.#nowUs);
    this.#times = times;
    this.#segments = segmentsOf(times);
    this.#enterSegment();
    this.#closeStages();
    this.#boundaryUs = this.#nextBoundaryUs();
  }

  changeInFlight(by: 1 | -1): number {
    this.#settle(this.#nowUs);
    this.#inFlight += by;
    this.#observeInFlight();
    return this.#inFlight;
  }

  /** Counts never go below zero: what an interval has too few of is kept back from the tokens that follow. */
  receive(tokens: number): void {
    const { flow } = this.block;
    const received = flow.outputTokens + tokens - this.#tokenDebt;
    flow.outputTokens = Math.max(0, received);
    this.#tokenDebt = Math.max(0, -received);
  }

  /** Cuts what is left of the open interval, unless it has no length and nothing in it. */
  finish(): void {
    this.#settle(this.#nowUs);
    if (this.#nowUs > this.#intervalFromUs || !this.#options.book.isEmpty) this.#cut(this.#nowUs);
  }

  #cross(tUs: number): void {
    this.#settle(tUs);
    this.#nowUs = tUs;
    if (tUs === this.#intervalFromUs + this.#options.intervalUs) this.#cut(tUs);
    this.#enterSegment();
    this.#closeStages();
    this.#boundaryUs = this.#nextBoundaryUs();
  }

  #cut(tUs: number): void {
    const fromUs = this.#intervalFromUs;
    this.#intervalFromUs = tUs;
    this.#options.onCut(fromUs, tUs);
    this.#block.hasFlow = false;
    this.#observeInFlight();
  }

  #nextBoundaryUs(): number {
    let next = this.#intervalFromUs + this.#options.intervalUs;
    const segment = this.#segments.find(({ fromUs }) => fromUs > this.#nowUs);
    if (segment !== undefined) next = Math.min(next, segment.fromUs);
    for (let stage = 0; stage < this.#isClosed.length; stage += 1)
      next = Math.min(next, this.#closeUs(stage));
    return next;
  }

  #closeUs(stage: number): number {
    const edgeUs = this.#isClosed[stage] === true ? null : stageEdgeUs(this.#times, stage);
    return edgeUs === null ? NEVER : edgeUs + this.#options.gracePeriodUs;
  }

  #closeStages(): void {
    for (let stage = 0; stage < this.#isClosed.length; stage += 1) {
      const closeUs = this.#closeUs(stage);
      if (closeUs > this.#nowUs) continue;
      this.#isClosed[stage] = true;
      this.#options.onClose(stage, closeUs);
    }
  }

  #enterSegment(): void {
    const { stage, phase } = segmentAt(this.#segments, this.#nowUs);
    const block = this.#options.book.block(stage, phase);
    if (block === this.#block) return;
    if (!this.#block.touched) this.#block.hasFlow = false;
    this.#block = block;
    this.#observeInFlight();
  }

  #settle(tUs: number): void {
    const lengthUs = tUs - this.#settledUs;
    if (lengthUs <= 0) return;
    const { flow } = this.block;
    flow.durationUs += lengthUs;
    flow.inFlightUs += this.#inFlight * lengthUs;
    this.#settledUs = tUs;
  }

  #observeInFlight(): void {
    const { flow, hasFlow } = this.#block;
    flow.inFlightMin = hasFlow ? Math.min(flow.inFlightMin, this.#inFlight) : this.#inFlight;
    flow.inFlightMax = hasFlow ? Math.max(flow.inFlightMax, this.#inFlight) : this.#inFlight;
    this.#block.hasFlow = true;
  }
}
