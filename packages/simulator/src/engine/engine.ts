import { assert } from "@tokenstorm/core";
import { BlockPool } from "./block-pool.js";
import { ImageEncoder } from "./image-encoder.js";
import { type EngineRequest, Sequence } from "./sequence.js";
import { StepDraft } from "./step-draft.js";
import { type StepModel, tableModel } from "./step-model.js";
import type { StepTable } from "./step-time.js";

export interface EngineConfig {
  readonly decodeStepMs: StepTable;
  readonly prefillTokensPerS: number;
  /** In place of the two above, which then count for nothing. */
  readonly stepModel?: StepModel | undefined;
  /** 10 makes every step ten times shorter. */
  readonly timeScale: number;
  readonly maxNumSeqs: number;
  /** Token budget of one step, prompt chunks and decoding together. */
  readonly maxNumBatchedTokens: number;
  readonly blockSize: number;
  readonly kvBlocks: number;
  readonly prefixCache: boolean;
  /** Image tokens a second through the vision tower; images cost no time where it is absent. */
  readonly encoderTokensPerS?: number | undefined;
  /** Token id of each word that can come out. */
  readonly vocabulary: ArrayLike<number>;
  readonly eosToken: number;
  /** Asked once at the beginning of each step: what its time is multiplied by. */
  readonly stepNoise?: (() => number) | undefined;
}

/** What the scheduler decided for one step, known when the step starts. */
export interface StepPlan {
  /** How long the step takes. Not rounded, so that short steps add up exactly; stamps are rounded. */
  readonly durationUs: number;
  /** Sequences that get a token at the end of this step. */
  readonly sampled: number;
  /** Uncached prompt tokens computed in this step, recomputed ones included. */
  readonly prefillTokens: number;
  /** Tokens of the budget that were used. */
  readonly scheduledTokens: number;
  /** Image tokens that pass through the vision tower in this step. */
  readonly encoderTokens: number;
  /** Requests that left the waiting queue for the first time, and what the prefix cache spared each. */
  readonly admitted: readonly { readonly id: number; readonly cachedTokens: number }[];
  readonly preempted: number;
}

/** One token of one request, known when the step ends. */
export interface StepOutput {
  readonly id: number;
  readonly token: number;
  /** Index into the vocabulary; -1 for the end-of-sequence token. */
  readonly word: number;
  /** Which output of its request this is, from 1. */
  readonly ordinal: number;
  readonly finish: "length" | "stop" | null;
}

export interface EngineStats {
  readonly running: number;
  readonly waiting: number;
  readonly freeBlocks: number;
  readonly kvCacheUsage: number;
  readonly preemptions: number;
  readonly prefixCacheQueries: number;
  readonly prefixCacheHits: number;
  readonly steps: number;
}

/**
 * vLLM V1's step loop without the GPU and without a clock: `beginStep` schedules and says how long the
 * step takes, `endStep` hands out its tokens. Requests may come and go at any time; a step that is
 * under way is not changed by it, except that an aborted request gets nothing from it.
 */
export interface Engine {
  /** Throws when the request could never fit into the KV blocks. */
  add(request: EngineRequest): void;
  /** Returns whether the request was still there. */
  abort(id: number): boolean;
  /** Undefined when there is nothing to do. */
  beginStep(): StepPlan | undefined;
  endStep(): StepOutput[];
  stats(): EngineStats;
}

export function createEngine(config: EngineConfig): Engine {
  return new StepEngine(config);
}

class StepEngine implements Engine {
  readonly #config: EngineConfig;
  readonly #pool: BlockPool;
  readonly #stepModel: StepModel;
  readonly #encoder: ImageEncoder;
  readonly #sequences = new Map<number, Sequence>();
  #waiting: Sequence[] = [];
  #running: Sequence[] = [];
  #stepping: Sequence[] | undefined;
  #preemptions = 0;
  #prefixCacheQueries = 0;
  #prefixCacheHits = 0;
  #steps = 0;

  constructor(config: EngineConfig) {
    this.#config = config;
    this.#pool = new BlockPool(config.kvBlocks);
    this.#encoder = new ImageEncoder(config.maxNumBatchedTokens);
    this.#stepModel = config.stepModel ?? tableModel(config.decodeStepMs, config.prefillTokensPerS);
  }

  add(request: EngineRequest): void {
    const { blockSize, kvBlocks } = this.#config;
    const tokens = request.promptTokens.length + request.maxTokens;
    assert(!this.#sequences.has(request.id), `request ${request.id} is already in the engine`);
    assert(request.promptTokens.length > 0 && request.maxTokens > 0, `request ${request.id} is empty`);
    assert(tokens <= kvBlocks * blockSize, `request ${request.id} of ${tokens} tokens can never fit`);
    this.#encoder.check(request);
    const sequence = new Sequence(request);
    this.#sequences.set(request.id, sequence);
    this.#waiting.push(sequence);
  }

  abort(id: number): boolean {
    const sequence = this.#sequences.get(id);
    if (sequence === undefined) return false;
    this.#retire(sequence);
    this.#running = this.#running.filter((other) => other !== sequence);
    this.#waiting = this.#waiting.filter((other) => other !== sequence);
    return true;
  }

  beginStep(): StepPlan | undefined {
    assert(this.#stepping === undefined, "a step began before the last one ended");
    const step = new StepDraft(this.#config.maxNumBatchedTokens, this.#encoder.budget);
    this.#scheduleRunning(step);
    if (step.preempted === 0) this.#scheduleWaiting(step);
    if (step.sequences.length === 0) return undefined;
    this.#stepping = step.sequences;
    this.#steps++;
    return step.plan(this.#stepModel, this.#config);
  }

  endStep(): StepOutput[] {
    const sequences = this.#stepping;
    assert(sequences !== undefined, "a step ended that never began");
    this.#stepping = undefined;
    const outputs: StepOutput[] = [];
    let anyFinished = false;
    for (const sequence of sequences) {
      if (sequence.isDone) continue;
      sequence.computed += sequence.scheduled;
      if (sequence.heldImages.length > 0) this.#encoder.letGo(sequence, sequence.computed);
      if (sequence.computed < sequence.length) continue;
      const output = this.#sample(sequence);
      outputs.push(output);
      if (output.finish === null) continue;
      this.#retire(sequence);
      anyFinished = true;
    }
    if (anyFinished) this.#running = this.#running.filter((sequence) => !sequence.isDone);
    return outputs;
  }

  stats(): EngineStats {
    return {
      running: this.#running.length,
      waiting: this.#waiting.length,
      freeBlocks: this.#pool.freeBlocks,
      kvCacheUsage: 1 - this.#pool.freeBlocks / this.#pool.size,
      preemptions: this.#preemptions,
      prefixCacheQueries: this.#prefixCacheQueries,
      prefixCacheHits: this.#prefixCacheHits,
      steps: this.#steps,
    };
  }

  /** Running requests come first, in their order; whoever finds no block drives out the last. */
  #scheduleRunning(step: StepDraft): void {
    for (let i = 0; i < this.#running.length && step.budget > 0; i++) {
      const sequence = this.#running[i];
      if (sequence === undefined) break;
      const wanted = Math.min(sequence.length - sequence.computed, step.budget);
      // Past its prompt a request needs no image, and this is the path of every token.
      const fit = sequence.needsImages
        ? this.#encoder.fit(sequence, sequence.computed, wanted, step)
        : undefined;
      const tokens = fit?.tokens ?? wanted;
      if (tokens === 0) continue;
      while (!this.#allocate(sequence, tokens)) {
        const last = this.#running.pop();
        assert(last !== undefined, "no running request was left to preempt");
        this.#preempt(last);
        step.preempted++;
        if (last === sequence) return;
      }
      if (fit !== undefined) this.#encoder.hold(sequence, fit.images, step);
      step.schedule(sequence, tokens);
    }
  }

  /** First come, first served; the head of the queue that finds no block holds up those behind it. */
  #scheduleWaiting(step: StepDraft): void {
    let admitted = 0;
    while (admitted < this.#waiting.length && step.budget > 0) {
      if (this.#running.length >= this.#config.maxNumSeqs) break;
      const sequence = this.#waiting[admitted];
      if (sequence === undefined) break;
      const hits = this.#cachedPrefix(sequence);
      const cachedTokens = hits.length * this.#config.blockSize;
      const wanted = Math.min(sequence.length - cachedTokens, step.budget);
      const { tokens, images } = this.#encoder.fit(sequence, cachedTokens, wanted, step);
      if (tokens === 0 || !this.#allocate(sequence, tokens, hits)) break;
      this.#admit(sequence, cachedTokens, step);
      this.#encoder.hold(sequence, images, step);
      step.schedule(sequence, tokens);
      admitted++;
    }
    if (admitted > 0) this.#waiting.splice(0, admitted);
  }

  #admit(sequence: Sequence, cachedTokens: number, step: StepDraft): void {
    sequence.computed = cachedTokens;
    sequence.prefillTarget = sequence.length;
    this.#running.push(sequence);
    if (sequence.wasAdmitted) return;
    // Counted once per request: what a preempted request finds again is not a hit for anybody.
    sequence.wasAdmitted = true;
    sequence.cachedTokens = cachedTokens;
    step.admitted.push({ id: sequence.request.id, cachedTokens });
    if (!this.#config.prefixCache) return;
    this.#prefixCacheQueries += sequence.length;
    this.#prefixCacheHits += cachedTokens;
  }

  /** Cached blocks from the start, full ones only; at least one token is left to compute. */
  #cachedPrefix(sequence: Sequence): number[] {
    const { prefixCache, blockSize } = this.#config;
    const hits: number[] = [];
    if (!prefixCache) return hits;
    const fullBlocks = Math.floor((sequence.length - 1) / blockSize);
    for (let i = 0; i < fullBlocks; i++) {
      const block = this.#pool.lookup(sequence.hashOfBlock(i, blockSize));
      if (block === undefined) break;
      hits.push(block);
    }
    return hits;
  }

  /** All blocks for `tokens` more, or none. Full blocks enter the prefix cache at once, as in vLLM. */
  #allocate(sequence: Sequence, tokens: number, hits: readonly number[] = []): boolean {
    const { blockSize, prefixCache } = this.#config;
    const pool = this.#pool;
    const end = sequence.computed + hits.length * blockSize + tokens;
    const missing = Math.ceil(end / blockSize) - sequence.blocks.length - hits.length;
    let unused = 0;
    for (const block of hits) if (pool.isFree(block)) unused++;
    if (missing + unused > pool.freeBlocks) return false;
    for (const block of hits) {
      pool.share(block);
      sequence.blocks.push(block);
    }
    for (let i = 0; i < missing; i++) sequence.blocks.push(pool.take());
    if (!prefixCache) return true;
    const firstNew = Math.floor(sequence.computed / blockSize) + hits.length;
    for (let i = firstNew; i < Math.floor(end / blockSize); i++) {
      pool.register(sequence.blocks[i] ?? 0, sequence.hashOfBlock(i, blockSize));
    }
    return true;
  }

  #preempt(sequence: Sequence): void {
    this.#encoder.letGo(sequence);
    this.#pool.release(sequence.blocks);
    sequence.blocks.length = 0;
    sequence.computed = 0;
    sequence.preemptions++;
    this.#preemptions++;
    this.#waiting.unshift(sequence);
  }

  #sample(sequence: Sequence): StepOutput {
    const { vocabulary, eosToken } = this.#config;
    const { id, maxTokens, stopAfter } = sequence.request;
    const ordinal = sequence.outputs.length + 1;
    const isEos = ordinal === stopAfter;
    const word = isEos ? -1 : sequence.nextWord(vocabulary.length);
    const token = isEos ? eosToken : (vocabulary[word] ?? 0);
    sequence.outputs.push(token);
    return { id, token, word, ordinal, finish: isEos ? "stop" : ordinal >= maxTokens ? "length" : null };
  }

  #retire(sequence: Sequence): void {
    sequence.isDone = true;
    this.#encoder.letGo(sequence);
    this.#pool.release(sequence.blocks);
    sequence.blocks.length = 0;
    this.#sequences.delete(sequence.request.id);
  }
}
