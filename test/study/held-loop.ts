import assert from "node:assert/strict";
import { createEngine, type Engine, type EngineConfig } from "@tokenstorm/simulator";

/** Users that are held before an engine, by a client of no cost. */
export interface HeldLoop {
  readonly engine: EngineConfig;
  readonly users: number;
  readonly promptTokens: number;
  readonly outputTokens: number;
  /** Both lengths of a request lie evenly between 1 - spread and 1 + spread of these; all alike without. */
  readonly spread?: number;
  readonly random?: () => number;
}

export interface HeldLoopResult {
  readonly inFlight: number;
  /** Output tokens/s in equal parts of the window. */
  readonly throughput: readonly number[];
  /** Sequences that got their turn, on average: what the server let run. */
  readonly runningMean: number;
  readonly waitingShares: readonly number[];
}

const PARTS = 4;
/** The window holds so many answers of each user, after one that is left out. */
const ANSWERS_OF_A_USER = 4;

/**
 * A level in steady state on the engine alone, without a prefix cache: users begin spread over the time of an answer, the
 * window opens when each has had one, and lasts for four more. For limits that take too many tokens for the whole client.
 */
export function runHeldLoop(loop: HeldLoop): HeldLoopResult {
  assert(!loop.engine.prefixCache, "all prompts would be found in the cache");
  const engine = createEngine(loop.engine);
  const client = new Client(engine, loop);
  let nowUs = 0;
  const stepTo = (answers: number) => {
    while (client.answers < answers) {
      const plan = engine.beginStep();
      if (plan === undefined) throw new Error("the engine has nothing to do");
      nowUs += plan.durationUs;
      client.take(nowUs, plan.durationUs);
    }
  };
  // As many in turn as there are users: whoever begins with the others would step in their time for ever.
  for (let user = 0; user < loop.users; user += 1) client.send(0, 1 + (user % loop.outputTokens));
  stepTo(2 * loop.users);
  const throughput = Array.from({ length: PARTS }, (_, i) => {
    const [fromUs, before] = [nowUs, client.tokens];
    if (i === 0) client.open();
    stepTo(2 * loop.users + ((i + 1) * ANSWERS_OF_A_USER * loop.users) / PARTS);
    return ((client.tokens - before) * 1e6) / (nowUs - fromUs);
  });
  return { inFlight: loop.users, throughput, ...client.means() };
}

class Client {
  tokens = 0;
  answers = 0;
  readonly #engine: Engine;
  readonly #loop: HeldLoop;
  readonly #sentUs = new Map<number, number>();
  /** By length; without a prefix cache it does not matter that all of a length are one. */
  readonly #prompts = new Map<number, readonly number[]>();
  #lastId = 0;
  #firstUs = 0;
  #wholeUs = 0;
  #runningUs = 0;
  #windowUs = 0;

  constructor(engine: Engine, loop: HeldLoop) {
    this.#engine = engine;
    this.#loop = loop;
  }

  send(nowUs: number, maxTokens = this.#scattered(this.#loop.outputTokens)): void {
    this.#lastId += 1;
    const id = this.#lastId;
    this.#sentUs.set(id, nowUs);
    const length = this.#scattered(this.#loop.promptTokens);
    const promptTokens = this.#prompts.get(length) ?? Array.from({ length }, (_, i) => i);
    this.#prompts.set(length, promptTokens);
    this.#engine.add({ id, promptTokens, maxTokens });
  }

  #scattered(tokens: number): number {
    const { spread = 0, random } = this.#loop;
    if (spread === 0 || random === undefined) return tokens;
    return Math.max(1, Math.round(tokens * (1 + spread * (2 * random() - 1))));
  }

  /** The window begins. */
  open(): void {
    this.#firstUs = this.#wholeUs = this.#runningUs = this.#windowUs = 0;
  }

  take(nowUs: number, stepUs: number): void {
    this.#runningUs += this.#engine.stats().running * stepUs;
    this.#windowUs += stepUs;
    for (const { id, ordinal, finish } of this.#engine.endStep()) {
      const sentUs = this.#sentUs.get(id) ?? nowUs;
      this.tokens += 1;
      if (ordinal === 1) this.#firstUs += nowUs - sentUs;
      if (finish === null) continue;
      this.#wholeUs += nowUs - sentUs;
      this.answers += 1;
      this.#sentUs.delete(id);
      this.send(nowUs);
    }
  }

  means(): Pick<HeldLoopResult, "runningMean" | "waitingShares"> {
    return { runningMean: this.#runningUs / this.#windowUs, waitingShares: [this.#firstUs / this.#wholeUs] };
  }
}
