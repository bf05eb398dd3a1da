import { assert } from "../errors.js";
import type { TakenShard } from "../run/shard-map.js";
import { BlockBook } from "./block-book.js";
import { addTo, emptyLedger } from "./counts.js";
import { FlowClock } from "./flow-clock.js";
import { HdrHistogram } from "./hdr-histogram.js";
import { checkLedger } from "./ledger.js";
import type { DropReason } from "./outcome.js";
import { OutcomeBook } from "./outcome-book.js";
import type { Recorder, RecorderOptions, RequestEnd, RequestSample } from "./recorder.js";
import type { Block, Final, Ledger, MetricName, WorkMetric } from "./snapshot.js";
import { hasBegun, phaseOfDue } from "./stage-clock.js";
import { TrackedRequest } from "./tracked-request.js";
import { UserTally } from "./user-tally.js";

/** The books of one shard; see `Recorder` for what it promises. */
export function createRecorder(options: RecorderOptions): Recorder {
  return new StampedRecorder(options);
}

type Offer = Parameters<Recorder["offer"]>[0];
type FinishFacts = Parameters<Recorder["finish"]>[1];

/** Follows requests from due to end; `FlowClock` keeps the time, and what belongs to it. */
class StampedRecorder implements Recorder {
  readonly #options: RecorderOptions;
  readonly #clock: FlowClock;
  readonly #book = new BlockBook();
  readonly #outcomes: OutcomeBook;
  readonly #ledger: Ledger = emptyLedger();
  #ledgerBefore: Ledger = emptyLedger();
  readonly #lag = new HdrHistogram();
  /** By stage: requests that were due in it, not ended and not censored. */
  readonly #open: readonly Set<TrackedRequest>[];
  readonly #tallies: readonly UserTally[];
  readonly #urls: number;
  #seq = 0;

  constructor(options: RecorderOptions) {
    const { stages, stageStartsUs, intervalUs, gracePeriodUs, shard } = options;
    this.#options = options;
    this.#urls = options.urls ?? 1;
    this.#outcomes = new OutcomeBook(this.#book, options.slos);
    this.#open = stages.map(() => new Set());
    this.#tallies = stages.map((stage) => new UserTally(stage, shard));
    this.#clock = new FlowClock({
      times: { stages, startsUs: stageStartsUs, doneUs: stages.map(() => null), stopUs: null },
      intervalUs,
      gracePeriodUs,
      book: this.#book,
      onCut: (fromUs, toUs) => this.#cut(fromUs, toUs),
      onClose: (stage, tUs) => this.#closeCount(stage, tUs),
    });
  }

  offer(offer: Offer): RequestSample {
    this.#clock.at(offer.dueUs);
    const block = this.#book.block(offer.stage, phaseOfDue(this.#clock.times, offer.stage, offer.dueUs));
    const url = this.#urls > 1 ? (offer.url ?? 0) : -1;
    const target = this.#book.target(block, url);
    const member = this.#options.keepsWork === true ? (offer.member ?? 0) : -1;
    const request = new TrackedRequest(offer, block, { url, target, member });
    this.#ledger.offered += 1;
    this.#ledger.waiting += 1;
    this.#book.touch(block);
    block.due.offered += 1;
    if (target !== null) target.offered += 1;
    const work = this.#book.work(block, member);
    if (work !== null) work.offered += 1;
    if (offer.user !== null) this.#tallies[offer.stage]?.offered(offer.user);
    if (this.#clock.isClosed(offer.stage)) request.isPastCount = true;
    else this.#open[offer.stage]?.add(request);
    return request;
  }

  drop(sample: RequestSample, tUs: number, reason: DropReason): void {
    const request = this.#living(sample, tUs);
    assert(!request.begun, "a request was dropped after it was begun");
    request.ended = true;
    this.#ledger.dropped += 1;
    this.#ledger.waiting -= 1;
    if (request.censored) return;
    this.#book.touch(request.block);
    addTo(request.block.due.dropped, reason, 1);
    this.#open[request.stage]?.delete(request);
  }

  begin(sample: RequestSample, tUs: number): void {
    const request = this.#living(sample, tUs);
    assert(!request.begun, "a request was begun twice");
    request.begun = true;
    this.#censorPastCount(request);
    const lagUs = this.#clock.nowUs - request.dueUs;
    this.#lag.record(lagUs);
    this.#record(request, "scheduleLag", lagUs);
  }

  connected(sample: RequestSample, connectUs: number): void {
    this.#record(tracked(sample), "connect", connectUs);
  }

  sent(sample: RequestSample, tUs: number): void {
    const request = this.#living(sample, tUs);
    if (request.sentUs === null) this.#send(request);
  }

  headers(sample: RequestSample, tUs: number): void {
    const request = this.#living(sample, tUs);
    if (request.hasHeaders || request.sentUs === null) return;
    request.hasHeaders = true;
    this.#record(request, "headers", this.#clock.nowUs - request.sentUs);
  }

  event(sample: RequestSample, tUs: number, tokens: number, content: boolean, sameRead: boolean): void {
    const request = this.#living(sample, tUs);
    // Whoever answers before our last byte has left had the request all the same.
    const sentUs = request.sentUs ?? this.#send(request);
    if (!request.hasEvent) {
      request.hasEvent = true;
      this.#record(request, "firstEvent", this.#clock.nowUs - sentUs);
    }
    if (content && !request.hasContent) {
      request.hasContent = true;
      this.#record(request, "firstContent", this.#clock.nowUs - sentUs);
    }
    if (tokens === 0) return;
    if (!(Number.isSafeInteger(tokens) && tokens > 0)) assert(false, `not a number of tokens: ${tokens}`);
    const { flow } = this.#clock.block;
    flow.events += 1;
    this.#clock.receive(tokens);
    if (request.url >= 0) this.#receiveFrom(request.url, tokens);
    request.tokens += tokens;
    if (sameRead && request.arrivalTokens > 0) {
      request.arrivalTokens += tokens;
      flow.coalesced += 1;
      return;
    }
    flow.arrivals += 1;
    this.#arrive(request, tokens, sentUs);
  }

  staleRetry(sample: RequestSample): void {
    const request = tracked(sample);
    if (request.censored) return;
    this.#book.touch(request.block);
    request.block.due.staleRetries += 1;
  }

  end(sample: RequestSample, tUs: number, end: RequestEnd): void {
    const request = this.#living(sample, tUs);
    this.#censorPastCount(request);
    if (request.sentUs === null && end.outcome.kind === "completed") this.#send(request);
    this.#closeArrival(request);
    request.ended = true;
    this.#correctTokens(request, end);
    this.#leave(request, end.outcome);
    if (request.censored) return;
    this.#open[request.stage]?.delete(request);
    this.#outcomes.count(request, this.#clock.nowUs, end);
    const { outcome } = end;
    if (outcome.kind === "completed" && request.phase === "measured" && request.user !== null) {
      this.#tallies[request.stage]?.completed(request.user);
    }
  }

  takeOver({ index, count, fromStage }: TakenShard): void {
    for (const tally of this.#tallies.slice(fromStage)) tally.takeOver({ index, count });
  }

  commitStageStarts(stageStartsUs: readonly (number | null)[], tUs: number): void {
    this.#clock.at(tUs);
    this.#clock.retime({ ...this.#clock.times, startsUs: stageStartsUs });
  }

  stageDone(stage: number, tUs: number): void {
    this.#clock.at(tUs);
    const { times, nowUs } = this.#clock;
    if (times.doneUs[stage] !== null) return;
    this.#clock.retime({ ...times, doneUs: times.doneUs.with(stage, nowUs) });
  }

  stop(tUs: number): void {
    this.#clock.at(tUs);
    const { times, nowUs } = this.#clock;
    if (times.stopUs === null) this.#clock.retime({ ...times, stopUs: nowUs });
  }

  advance(tUs: number): void {
    this.#clock.at(tUs);
  }

  finish(tUs: number, facts: FinishFacts): Final {
    this.#clock.at(tUs);
    const { waiting, inFlight } = this.#ledger;
    assert(waiting + inFlight === 0, `finished with ${waiting} requests waiting and ${inFlight} in flight`);
    this.#clock.finish();
    const { run, agent, epoch } = this.#options;
    return {
      run,
      agent,
      epoch,
      lastSeq: this.#seq,
      samplesRecorded: this.#book.samples,
      ledger: this.ledger(),
      completedPerUserMin: this.#completedPerUserMin(),
      usersStarted: this.#usersStarted(),
      ...facts,
    };
  }

  ledger(): Ledger {
    return { ...this.#ledger };
  }

  lastSeq(): number {
    return this.#seq;
  }

  #living(sample: RequestSample, tUs: number): TrackedRequest {
    this.#clock.at(tUs);
    const request = tracked(sample);
    assert(!request.ended, "something happened to a request that had ended");
    return request;
  }

  #send(request: TrackedRequest): number {
    request.sentUs = this.#clock.nowUs;
    this.#ledger.sent += 1;
    this.#ledger.waiting -= 1;
    this.#ledger.inFlight = this.#clock.changeInFlight(1);
    this.#clock.block.flow.sent += 1;
    if (!request.censored) {
      this.#book.touch(request.block);
      request.block.due.sent += 1;
      const { user, stage, sentUs } = request;
      if (user !== null)
        this.#tallies[stage]?.sent(user, sentUs - (this.#clock.times.startsUs[stage] ?? sentUs));
    }
    return request.sentUs;
  }

  /** Tokens of a target that is kept apart belong to the time at which they come, as all do. */
  #receiveFrom(url: number, tokens: number): void {
    const target = this.#book.target(this.#clock.block, url);
    if (target !== null) target.outputTokens += tokens;
  }

  /** A new arrival; whatever the first one holds is TTFT, and no gap ends in it. */
  #arrive(request: TrackedRequest, tokens: number, sentUs: number): void {
    if (request.firstTokenUs === null) {
      request.firstTokenUs = this.#clock.nowUs;
      const ttftUs = this.#clock.nowUs - sentUs;
      this.#record(request, "ttft", ttftUs);
      if (!request.censored) this.#recordMembers(request, "ttft", ttftUs);
    } else this.#closeArrival(request);
    request.arrivalUs = this.#clock.nowUs;
    request.arrivalTokens = tokens;
    request.lastTokenUs = this.#clock.nowUs;
  }

  /** For the target, and the member of the workload, that the request is of, where they are kept apart. */
  #recordMembers(request: TrackedRequest, metric: WorkMetric, valueUs: number): void {
    const { block, target, member } = request;
    if (target !== null) this.#book.recordTarget(target, metric, valueUs);
    if (member >= 0) this.#book.recordWork(block, { member, metric }, valueUs);
  }

  /** Only now is it known how many tokens shared the arrival, and so what each of them waited. */
  #closeArrival(request: TrackedRequest): void {
    if (request.arrivalTokens === 0) return;
    if (request.previousArrivalUs >= 0 && !request.censored) {
      const gapUs = request.arrivalUs - request.previousArrivalUs;
      this.#book.record(request.block, "gap", gapUs);
      const tokens = request.arrivalTokens;
      const itlUs = tokens === 1 ? gapUs : Math.round(gapUs / tokens);
      this.#book.record(request.block, "itl", itlUs, tokens);
      if (request.target !== null) this.#book.recordTarget(request.target, "itl", itlUs, tokens);
    }
    request.previousArrivalUs = request.arrivalUs;
    request.arrivalTokens = 0;
  }

  /** The server's usage has the last word on what was received. */
  #correctTokens(request: TrackedRequest, { usage }: RequestEnd): void {
    if (usage === null) return;
    const { flow } = this.#clock.block;
    flow.promptTokens += usage.prompt;
    const missed = usage.output - request.tokens;
    this.#clock.receive(missed);
    if (request.url >= 0) this.#receiveFrom(request.url, missed);
    request.tokens = usage.output;
  }

  #leave(request: TrackedRequest, outcome: RequestEnd["outcome"]): void {
    const { flow } = this.#clock.block;
    if (request.sentUs === null) {
      this.#ledger.unsent += 1;
      this.#ledger.waiting -= 1;
    } else {
      this.#ledger.inFlight = this.#clock.changeInFlight(-1);
      flow.ended += 1;
    }
    if (outcome.kind === "completed") flow.completed += 1;
    this.#ledger[outcome.kind] += 1;
  }

  #record(request: TrackedRequest, metric: MetricName, value: number): void {
    if (!request.censored) this.#book.record(request.block, metric, value);
  }

  #censorPastCount(request: TrackedRequest): void {
    if (request.isPastCount && !request.censored) this.#censor(request, this.#clock.nowUs);
  }

  #censor(request: TrackedRequest, tUs: number): void {
    this.#closeArrival(request);
    this.#outcomes.censor(request, tUs);
  }

  #completedPerUserMin(): Record<string, number> {
    return this.#ofBegunStages((tally) => tally.fewest());
  }

  #usersStarted(): NonNullable<Final["usersStarted"]> {
    return this.#ofBegunStages((tally) => tally.started());
  }

  #ofBegunStages<Said>(ask: (tally: UserTally) => Said | null): Record<string, Said> {
    const byStage: Record<string, Said> = {};
    for (const [index, tally] of this.#tallies.entries()) {
      const isWarmUp = this.#options.stages[index]?.isWarmUp === true;
      if (isWarmUp || !hasBegun(this.#clock.times, index, this.#clock.nowUs)) continue;
      const said = ask(tally);
      if (said !== null) byStage[String(index)] = said;
    }
    return byStage;
  }

  #closeCount(stage: number, tUs: number): void {
    for (const request of this.#open[stage] ?? []) this.#censor(request, tUs);
    this.#open[stage]?.clear();
  }

  #cut(fromUs: number, toUs: number): void {
    checkLedger(this.#ledgerBefore, this.#ledger);
    this.#ledgerBefore = this.ledger();
    const { run, agent, epoch } = this.#options;
    const blocks = this.#book.cut();
    const vitals = {
      ...this.#options.vitals(toUs),
      scheduleLagP99Us: this.#lag.percentile(99) ?? 0,
      coalescedShare: coalescedShare(blocks),
    };
    this.#lag.reset();
    this.#seq += 1;
    const seq = this.#seq;
    this.#options.onSnapshot({ run, agent, epoch, seq, fromUs, toUs, ledger: this.ledger(), blocks, vitals });
  }
}

function tracked(sample: RequestSample): TrackedRequest {
  assert(sample instanceof TrackedRequest, "a request that this recorder never saw");
  return sample;
}

function coalescedShare(blocks: readonly Block[]): number {
  let events = 0;
  let coalesced = 0;
  for (const { flow } of blocks) {
    events += flow.events;
    coalesced += flow.coalesced;
  }
  return events === 0 ? 0 : coalesced / events;
}
