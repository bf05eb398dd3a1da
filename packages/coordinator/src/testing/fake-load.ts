import {
  type Cancel,
  type Clock,
  createRecorder,
  type Final,
  type Ledger,
  type Recorder,
  type RequestSample,
  type RunRecord,
  resolveStages,
  type Snapshot,
  stageLengthUs,
} from "@tokenstorm/core";

const TICK_US = 50_000;
const TOKENS = 5;

export interface FakeLoadOptions {
  readonly clock: Clock;
  readonly record: RunRecord;
  readonly agent: string;
  readonly epoch: number;
  /** Time zero on the agent's clock. */
  readonly startUs: number;
  readonly onSnapshot: (snapshot: Snapshot) => void;
  readonly onStageDone: (stage: number) => void;
  readonly onLoadEnded: () => void;
  readonly onDrained: (final: Final) => void;
}

/** One user that always has one request in flight, of 50 ms, kept by the real recorder. */
export class FakeLoad {
  readonly #options: FakeLoadOptions;
  readonly #recorder: Recorder;
  readonly #stages;
  #startsUs: readonly (number | null)[];
  #open: RequestSample | undefined;
  #sent = 0;
  #stageDone = -1;
  #isDraining = false;
  #isOver = false;
  #isHeld = false;
  #cancel: Cancel = () => undefined;

  constructor(options: FakeLoadOptions) {
    const { record, agent, epoch } = options;
    this.#options = options;
    this.#stages = resolveStages(record.plan);
    this.#startsUs = record.stageStartsUs;
    this.#recorder = createRecorder({
      run: record.id,
      agent,
      epoch,
      stages: this.#stages,
      stageStartsUs: record.stageStartsUs,
      intervalUs: record.plan.intervalMs * 1000,
      gracePeriodUs: record.plan.gracePeriodMs * 1000,
      slos: undefined,
      vitals: () => HEALTHY,
      onSnapshot: options.onSnapshot,
    });
    this.#cancel = options.clock.at(options.startUs, () => this.#tick());
  }

  get lastSeq(): number {
    return this.#recorder.lastSeq();
  }

  ledger(): Ledger {
    return { ...this.#recorder.ledger() };
  }

  commit(startsUs: readonly (number | null)[]): void {
    this.#startsUs = startsUs;
    this.#recorder.commitStageStarts(startsUs, this.#nowUs());
  }

  stop(level: "drain" | "cut"): void {
    if (this.#isOver) return;
    const nowUs = Math.max(0, this.#nowUs());
    if (!this.#isDraining) this.#recorder.stop(nowUs);
    this.#beginDrain();
    if (level === "cut") this.#finish(nowUs);
  }

  hold(isHeld: boolean): void {
    this.#isHeld = isHeld;
  }

  close(): void {
    this.#isOver = true;
    this.#cancel();
  }

  #nowUs(): number {
    return this.#options.clock.nowUs() - this.#options.startUs;
  }

  #tick(): void {
    if (this.#isOver) return;
    const nowUs = this.#nowUs();
    this.#recorder.advance(nowUs);
    if (!this.#isHeld) this.#complete(nowUs);
    this.#nextStage(nowUs);
    if (this.#isDraining && this.#open === undefined) {
      this.#finish(nowUs);
      return;
    }
    if (!this.#isDraining && this.#open === undefined) this.#send(nowUs);
    this.#cancel = this.#options.clock.at(this.#options.clock.nowUs() + TICK_US, () => this.#tick());
  }

  #complete(nowUs: number): void {
    const sample = this.#open;
    if (sample === undefined) return;
    this.#open = undefined;
    this.#recorder.headers(sample, nowUs);
    this.#recorder.event(sample, nowUs, TOKENS, true, false);
    this.#recorder.end(sample, nowUs, {
      outcome: { kind: "completed" },
      usage: { prompt: 8, cachedPrompt: 0, output: TOKENS },
      tokenSource: "usage",
      finish: "length",
    });
  }

  #nextStage(nowUs: number): void {
    const index = this.#startsUs.findLastIndex((startUs) => startUs !== null && startUs <= nowUs);
    const stage = this.#stages[index];
    if (stage === undefined) return;
    const startUs = this.#startsUs[index] ?? 0;
    const lengthUs = stageLengthUs(stage);
    const isLast = index === this.#stages.length - 1;
    if (stage.kind === "users" && stage.bound.kind === "requests") {
      if (this.#sent < stage.bound.requests || this.#stageDone >= index) return;
      this.#stageDone = index;
      this.#sent = 0;
      this.#recorder.stageDone(index, nowUs);
      this.#options.onStageDone(index);
      if (isLast) this.#beginDrain();
    } else if (isLast && lengthUs !== null && nowUs >= startUs + lengthUs) this.#beginDrain();
  }

  #send(nowUs: number): void {
    const index = this.#startsUs.findLastIndex((startUs) => startUs !== null && startUs <= nowUs);
    if (index < 0 || index <= this.#stageDone) return;
    this.#sent += 1;
    const sample = this.#recorder.offer({
      stage: index,
      dueUs: nowUs,
      user: 0,
      askedPromptTokens: 8,
      askedOutputTokens: TOKENS,
    });
    this.#recorder.begin(sample, nowUs);
    this.#recorder.sent(sample, nowUs);
    this.#open = sample;
  }

  #beginDrain(): void {
    if (this.#isDraining) return;
    this.#isDraining = true;
    this.#options.onLoadEnded();
  }

  #finish(nowUs: number): void {
    this.close();
    if (this.#open !== undefined) {
      this.#recorder.end(this.#open, nowUs, {
        outcome: { kind: "cancelled" },
        usage: null,
        tokenSource: "none",
        finish: null,
      });
    }
    const facts = { startErrorUs: 12, evicted: 0, reader: "fake" };
    this.#options.onDrained(this.#recorder.finish(nowUs, facts));
  }
}

export const HEALTHY = {
  loopDelayP99Us: 500,
  loopDelayMaxUs: 900,
  utilisation: 0.1,
  cpu: 0.1,
  starvation: 0,
  gcUs: 0,
  throttledUs: 0,
  rssBytes: 1_000_000,
  openSockets: 1,
  descriptors: 20,
  descriptorLimit: 1024,
};
