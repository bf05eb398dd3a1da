import assert from "node:assert/strict";
import { createEngine, type Engine, type EngineConfig } from "@tokenstorm/simulator";

/** Users that are held before an engine, by a client of no cost. */
export interface HeldLoop {
  readonly engine: EngineConfig;
  readonly users: number;
  readonly promptTokens: number;
  readonly outputTokens: number;
}

export interface HeldLoopResult {
  readonly inFlight: number;
  /** Output tokens/s in equal parts of the window. */
  readonly throughput: readonly number[];
  /** Sequences that got their turn, on average: what the server let run. */
  readonly runningMean: number;
  readonly waitingShare: number;
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
  /** Without a prefix cache it does not matter that all are one. */
  readonly #prompt: readonly number[];
  #lastId = 0;
  #firstUs = 0;
  #wholeUs = 0;
  #runningUs = 0;
  #windowUs = 0;

  constructor(engine: Engine, loop: HeldLoop) {
    this.#engine = engine;
    this.#loop = loop;
    this.#prompt = Array.from({ length: loop.promptTokens }, (_, i) => i);
  }

  send(nowUs: number, maxTokens = this.#loop.outputTokens): void {
    this.#lastId += 1;
    const id = this.#lastId;
    this.#sentUs.set(id, nowUs);
    this.#engine.add({ id, promptTokens: this.#prompt, maxTokens });
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

  means(): Pick<HeldLoopResult, "runningMean" | "waitingShare"> {
    return { runningMean: this.#runningUs / this.#windowUs, waitingShare: this.#firstUs / this.#wholeUs };
  }
}
