import type { BlockBook } from "./block-book.js";
import { addTo } from "./counts.js";
import type { RecorderOptions, RequestEnd } from "./recorder.js";
import type { TrackedRequest } from "./tracked-request.js";
import { completeWork } from "./work-part.js";

/** What became of requests, counted in the (stage, phase) in which they were due. */
export class OutcomeBook {
  readonly #book: BlockBook;
  readonly #slos: RecorderOptions["slos"];

  constructor(book: BlockBook, slos: RecorderOptions["slos"]) {
    this.#book = book;
    this.#slos = slos;
  }

  /** It has ended; its last arrival is closed, and its tokens are those of its usage. */
  count(request: TrackedRequest, tUs: number, end: RequestEnd): void {
    const { block } = request;
    const { due } = block;
    this.#book.touch(block);
    if (request.sentUs === null) due.unsent += 1;
    if (end.finish !== null && end.outcome.kind !== "cancelled") addTo(due.finish, end.finish, 1);
    switch (end.outcome.kind) {
      case "completed":
        this.#countCompleted(request, tUs, end);
        return;
      case "failed":
        addTo(due.failed, end.outcome.reason, 1);
        this.#book.record(block, "failedE2e", tUs - request.dueUs);
        if (request.sentUs !== null) this.#book.record(block, "failedService", tUs - request.sentUs);
        if (request.target !== null) request.target.failed += 1;
        this.#countFailedWork(request);
        break;
      case "cancelled":
        due.cancelled += 1;
        break;
    }
    due.partialOutputTokens += request.tokens;
  }

  /** Its stage's count is closed: what it reached so far is all that its (stage, phase) will hear of it. */
  censor(request: TrackedRequest, tUs: number): void {
    const { block, sentUs } = request;
    this.#book.touch(block);
    block.due.censored += 1;
    if (request.target !== null) request.target.censored += 1;
    block.due.partialOutputTokens += request.tokens;
    // One that was not even sent has waited 0 us for its first token, as far as TTFT goes.
    const sinceSentUs = sentUs === null ? 0 : tUs - sentUs;
    if (request.firstTokenUs === null) this.#book.record(block, "ttftCensored", sinceSentUs);
    this.#book.record(block, "e2eCensored", sinceSentUs);
    this.#book.record(block, "responseCensored", tUs - request.dueUs);
    request.censored = true;
  }

  #countCompleted(request: TrackedRequest, tUs: number, { usage, tokenSource }: RequestEnd): void {
    const { block } = request;
    const { due } = block;
    const e2eUs = tUs - (request.sentUs ?? tUs);
    const tpotUs = tpotOf(request);
    due.completed += 1;
    due.outputTokens += request.tokens;
    due.askedPromptTokens += request.askedPromptTokens ?? 0;
    if (request.askedPromptTokens === null) due.promptsOfUnknownLength += 1;
    const work = this.#book.work(block, request.member);
    if (work !== null) completeWork(work, request, usage);
    due.askedOutputTokens += request.askedOutputTokens;
    addTo(due.tokenSource, tokenSource, 1);
    this.#book.record(block, "e2e", e2eUs);
    if (request.target !== null) {
      request.target.completed += 1;
      this.#book.recordTarget(request.target, "e2e", e2eUs);
    }
    if (work !== null) this.#book.recordWork(block, { member: request.member, metric: "e2e" }, e2eUs);
    this.#book.record(block, "response", tUs - request.dueUs);
    this.#book.record(block, "outputTokens", request.tokens);
    if (tpotUs !== null) this.#book.record(block, "tpot", tpotUs);
    if (usage !== null) {
      due.promptTokens += usage.prompt;
      due.cachedPromptTokens += usage.cachedPrompt;
      this.#book.record(block, "inputTokens", usage.prompt);
    }
    if (this.#isGood(request, { e2eUs, tpotUs })) due.good += 1;
  }

  #countFailedWork({ block, member }: TrackedRequest): void {
    const work = this.#book.work(block, member);
    if (work !== null) work.failed += 1;
  }

  #isGood(
    { firstTokenUs, sentUs }: TrackedRequest,
    { e2eUs, tpotUs }: { readonly e2eUs: number; readonly tpotUs: number | null },
  ): boolean {
    const { ttftMs, tpotMs, e2eMs } = this.#slos ?? {};
    // Without a token of its own, the whole answer was its first.
    const ttftUs = firstTokenUs === null || sentUs === null ? e2eUs : firstTokenUs - sentUs;
    return meets(ttftUs, ttftMs) && meets(tpotUs ?? 0, tpotMs) && meets(e2eUs, e2eMs);
  }
}

/** Null for an answer of a single token: it has no time per further token. */
function tpotOf({ firstTokenUs, lastTokenUs, tokens }: TrackedRequest): number | null {
  if (firstTokenUs === null || tokens < 2) return null;
  return Math.round((lastTokenUs - firstTokenUs) / (tokens - 1));
}

function meets(valueUs: number, limitMs: number | undefined): boolean {
  return limitMs === undefined || valueUs <= limitMs * 1000;
}
