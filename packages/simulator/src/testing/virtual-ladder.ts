import type { LimitInput, ServerSample, ServerTimes } from "@tokenstorm/core";
import { createEngine, type Engine, type EngineConfig } from "../engine/engine.js";
import { uniformAt } from "../random.js";

export interface VirtualLadder {
  readonly engine: Partial<EngineConfig>;
  /** Users of each level; each lasts `LEVEL_US`, of which the last `WINDOW_US` are measured. */
  readonly users: readonly number[];
  /** Over which a level's new users come, us. */
  readonly rampUs?: number;
  /** What the client takes from an answer to its next request, us. */
  readonly clientUs?: number;
  readonly promptTokens?: number;
  /** Answers are between half and one and a half of it. */
  readonly outputTokens?: number;
}

export const WINDOW_US = 30_000_000;
const LEVEL_US = 45_000_000;
const SCRAPE_US = 1_000_000;
/** As `never full` is in a report. */
const FULL_SHARE = 0.95;

const CONFIG: EngineConfig = {
  decodeStepMs: [[1, 20]],
  prefillTokensPerS: 100_000,
  timeScale: 1,
  maxNumSeqs: 1024,
  maxNumBatchedTokens: 8192,
  blockSize: 16,
  kvBlocks: 20_000,
  prefixCache: true,
  vocabulary: Array.from({ length: 100 }, (_, i) => 5000 + i),
  eosToken: 10,
};

interface Open {
  readonly user: number;
  readonly level: number;
  readonly sentUs: number;
  lastUs: number | null;
}

/** A ladder of users in a closed loop before the engine, in virtual time, as the rules for the limit get to see it. */
export function runLadder(ladder: VirtualLadder): LimitInput {
  const { users, rampUs = 5_000_000, clientUs = 0 } = ladder;
  const engine = createEngine({ ...CONFIG, ...ladder.engine });
  const world = new World(engine, users.length);
  const due = users.flatMap((count, level) => {
    const before = users[level - 1] ?? 0;
    return Array.from({ length: count - before }, (_, i) => ({
      atUs: level * LEVEL_US + Math.round((rampUs * i) / (count - before)),
      user: before + i,
    }));
  });
  let nowUs = 0;
  const goTo = (untilUs: number) => {
    for (;;) {
      due.sort((a, b) => a.atUs - b.atUs);
      const next = due[0];
      if (next === undefined || next.atUs > untilUs) break;
      due.shift();
      world.passTo(next.atUs);
      world.send(next.user, next.atUs, ladder);
    }
    world.passTo(untilUs);
  };
  const endUs = users.length * LEVEL_US;
  while (nowUs < endUs) {
    const plan = engine.beginStep();
    nowUs = plan === undefined ? Math.max(nowUs, due[0]?.atUs ?? endUs) : nowUs + plan.durationUs;
    goTo(nowUs);
    if (plan === undefined) continue;
    for (const user of world.endStep(nowUs)) due.push({ atUs: nowUs + clientUs, user });
    // What a response calls for at once joins the next step.
    goTo(nowUs);
  }
  return world.input(users);
}

/** Keeps what the client and the scrapes would see. */
class World {
  readonly #engine: Engine;
  readonly #open = new Map<number, Open>();
  readonly #samples: ServerSample[] = [];
  readonly #levels: { inFlightUs: number; tokens: number; itlUs: number; gaps: number; done: number }[];
  readonly #times = { ttft: zero(), itl: zero(), e2e: zero() };
  #nowUs = 0;
  #lastId = 0;
  #tokens = 0;

  constructor(engine: Engine, levels: number) {
    this.#engine = engine;
    this.#levels = Array.from({ length: levels }, () => ({
      inFlightUs: 0,
      tokens: 0,
      itlUs: 0,
      gaps: 0,
      done: 0,
    }));
  }

  passTo(untilUs: number): void {
    while (this.#nowUs < untilUs) {
      const scrapeUs = (Math.floor(this.#nowUs / SCRAPE_US) + 1) * SCRAPE_US;
      const toUs = Math.min(untilUs, scrapeUs);
      const level = this.#measured(this.#nowUs);
      if (level !== undefined) level.inFlightUs += this.#open.size * (toUs - this.#nowUs);
      this.#nowUs = toUs;
      if (toUs === scrapeUs) this.#scrape();
    }
  }

  send(user: number, atUs: number, { promptTokens = 160, outputTokens = 100 }: VirtualLadder): void {
    this.#lastId += 1;
    const id = this.#lastId;
    const maxTokens = Math.round(outputTokens * (0.5 + uniformAt(7, id)));
    // No block is shared with any other prompt.
    const prompt = Array.from({ length: promptTokens }, (_, i) => id * 100_003 + i);
    this.#engine.add({ id, promptTokens: prompt, maxTokens });
    this.#open.set(id, { user, level: Math.floor(atUs / LEVEL_US), sentUs: atUs, lastUs: null });
  }

  /** Users whose request ended. */
  endStep(nowUs: number): number[] {
    const ended: number[] = [];
    for (const { id, finish } of this.#engine.endStep()) {
      const open = this.#open.get(id);
      if (open === undefined) continue;
      this.#token(open, nowUs);
      if (finish === null) continue;
      observe(this.#times.e2e, nowUs - open.sentUs);
      this.#open.delete(id);
      const level = this.#measured(nowUs);
      if (level !== undefined) level.done += 1;
      ended.push(open.user);
    }
    return ended;
  }

  input(users: readonly number[]): LimitInput {
    return {
      red: { red: 0, measured: 60, share: 0 },
      samples: this.#samples,
      levels: users.map((asked, i) => this.#level(asked, i)),
    };
  }

  #token(open: Open, nowUs: number): void {
    const level = this.#measured(nowUs);
    this.#tokens += 1;
    if (level !== undefined) level.tokens += 1;
    if (open.lastUs === null) observe(this.#times.ttft, nowUs - open.sentUs);
    else {
      observe(this.#times.itl, nowUs - open.lastUs);
      if (level !== undefined) {
        level.itlUs += nowUs - open.lastUs;
        level.gaps += 1;
      }
    }
    open.lastUs = nowUs;
  }

  #measured(tUs: number) {
    const index = Math.floor(tUs / LEVEL_US);
    return tUs - index * LEVEL_US >= LEVEL_US - WINDOW_US ? this.#levels[index] : undefined;
  }

  #scrape(): void {
    const stats = this.#engine.stats();
    this.#samples.push({
      tUs: this.#nowUs,
      running: stats.running,
      waiting: stats.waiting,
      kvUsage: stats.kvCacheUsage,
      promptTokens: 0,
      generationTokens: this.#tokens,
      successes: this.#times.e2e.count,
      preemptions: stats.preemptions,
      prefixHits: stats.prefixCacheHits,
      prefixQueries: stats.prefixCacheQueries,
      times: structuredClone(this.#times) satisfies ServerTimes,
    });
  }

  #level(asked: number, index: number): LimitInput["levels"][number] {
    const fromUs = (index + 1) * LEVEL_US - WINDOW_US;
    const inside = this.#samples.filter(({ tUs }) => tUs >= fromUs && tUs <= fromUs + WINDOW_US);
    const [first, last] = [inside[0], inside.at(-1)];
    const level = this.#levels[index] ?? { inFlightUs: 0, tokens: 0, itlUs: 0, gaps: 0, done: 0 };
    const mean = (of: (sample: ServerSample) => number) =>
      inside.reduce((sum, sample) => sum + of(sample), 0) / inside.length;
    const grown = (of: (sample: ServerSample) => number) =>
      first === undefined || last === undefined ? 0 : of(last) - of(first);
    const inFlight = level.inFlightUs / WINDOW_US;
    const itlUs = level.gaps === 0 ? null : level.itlUs / level.gaps;
    return {
      isNeverFull: inFlight < FULL_SHARE * asked,
      row: {
        name: `u${asked}`,
        tooShort: false,
        inFlight: { asked, mean: inFlight, minAtLeast: 0, maxAtMost: asked },
        server: {
          runningMean: mean(({ running }) => running),
          waitingMean: mean(({ waiting }) => waiting),
          kvUsageMax: Math.max(...inside.map(({ kvUsage }) => kvUsage)),
          preemptions: grown(({ preemptions }) => preemptions),
          prefixHitTokens: 0,
          itlMeanUs:
            grown(({ times }) => times?.itl?.sumUs ?? 0) / grown(({ times }) => times?.itl?.count ?? 0),
        },
        requests: {
          offered: level.done,
          sent: level.done,
          completed: level.done,
          failed: 0,
          cancelled: 0,
          dropped: 0,
          unknown: 0,
          censored: 0,
          staleRetries: 0,
        },
        drops: {},
        windowStartUs: fromUs,
        windowMs: WINDOW_US / 1000,
        rates: { outputTokensPerS: (level.tokens * 1e6) / WINDOW_US },
        latencyUs: { itl: { mean: itlUs, p50: itlUs }, scheduleLag: { p99: 100 } },
      },
    };
  }
}

function zero() {
  return { sumUs: 0, count: 0 };
}

function observe(durations: { sumUs: number; count: number }, us: number): void {
  durations.sumUs += us;
  durations.count += 1;
}
