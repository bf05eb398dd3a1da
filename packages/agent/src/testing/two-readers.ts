import {
  aPlan,
  CLOSE,
  LAST_CHUNK,
  RESET,
  type ScriptedServer,
  type ScriptedStep,
  STREAM_HEAD,
  sseChunk,
  startScriptedServer,
} from "@tokenstorm/testkit";
import type { Target } from "../target/target.js";
import { READERS } from "./both-readers.js";
import type { Answer } from "./random-answer.js";
import { outcomeWord, RecordingSink } from "./recording-sink.js";

/** What a reader makes of an answer: all that must not depend on which reader it was. */
export interface Reading {
  readonly outcome: string;
  readonly calls: readonly string[];
  readonly events: readonly (readonly [number, boolean])[];
  readonly usage: unknown;
  readonly tokenSource: string;
  /** The next request on the slot: its outcome, and whether it was written to the same socket. */
  readonly next: string;
  readonly isSocketKept: boolean | null;
}

const GOOD: readonly ScriptedStep[] = [
  STREAM_HEAD,
  sseChunk({ choices: [{ index: 0, delta: { content: "a" }, finish_reason: null }] }),
  sseChunk({ choices: [{ index: 0, delta: { content: "b" }, finish_reason: "stop" }] }),
  LAST_CHUNK,
];
/** Turns of the event loop after which what was written on loopback has been read. */
const SETTLED_TURNS = 30;
const LONG_US = 86_400_000_000;

/** Real time that can be made to jump, with timers that ring only then. */
class JumpingClock {
  #aheadUs = 0;
  #timers = new Set<{ readonly fn: () => void }>();

  nowUs = (): number => Math.round(performance.now() * 1000) + this.#aheadUs;

  at = (_us: number, fn: () => void): (() => void) => {
    const timer = { fn };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  };

  jump(): void {
    this.#aheadUs += LONG_US;
    const timers = this.#timers;
    this.#timers = new Set();
    for (const { fn } of timers) fn();
  }
}

/** One server and both readers; each answer is played to both of them, on connections that live on where they can. */
export class TwoReaders {
  readonly #server: ScriptedServer;
  readonly #targets: readonly Target[];
  /** One each: what one waits for must not run out for the other. */
  readonly #clocks = READERS.map(() => new JumpingClock());
  #answer: Answer | null = null;
  /** By reader: the server has done all that the answer says. */
  #isPlayed: boolean[] = [];

  static async start(): Promise<TwoReaders> {
    let script: (reader: number) => Iterable<ScriptedStep> = () => GOOD;
    const server = await startScriptedServer(({ headers }) => {
      const [, reader] = /^trap-(\d)$/.exec(headers["x-request-id"] ?? "") ?? [];
      return reader === undefined ? GOOD : script(Number(reader));
    });
    const readers = new TwoReaders(server);
    script = (reader) => readers.#steps(reader);
    return readers;
  }

  private constructor(server: ScriptedServer) {
    this.#server = server;
    const plan = aPlan({ target: { urls: [server.url], model: "m" } });
    this.#targets = READERS.map(({ create }, reader) =>
      create({ plan, slots: 1, env: {} }, this.#clocks[reader] ?? new JumpingClock()),
    );
  }

  async close(): Promise<void> {
    await Promise.all(this.#targets.map((target) => target.close()));
    await this.#server.close();
  }

  /** In the order of READERS. */
  async read(answer: Answer): Promise<readonly Reading[]> {
    this.#answer = answer;
    this.#isPlayed = this.#targets.map(() => false);
    return Promise.all(this.#targets.map((_, reader) => this.#readBy(reader, answer)));
  }

  /** Null where both agree, else what each made of it. */
  async difference(answer: Answer): Promise<string | null> {
    const readings = await this.read(answer);
    const [one, other] = readings.map((reading) => JSON.stringify(reading));
    if (one === other) return null;
    return READERS.map(({ name }, i) => `${name}: ${JSON.stringify(readings[i])}`).join("\n");
  }

  async #readBy(reader: number, answer: Answer): Promise<Reading> {
    const sink = this.#send(reader, `trap-${reader}`, answer.exact);
    await this.#ended(sink, reader);
    // A good request first finds out whether the socket is fit for another.
    await settle();
    const next = this.#send(reader, "next", null);
    await this.#ended(next, reader);
    requireOrder(sink);
    const [end] = sink.ends;
    if (end === undefined || sink.ends.length !== 1) throw new Error(`${sink.ends.length} ends`);
    return {
      outcome: outcomeWord(end),
      calls: sink.calls.filter((call) => call !== "event" && call !== "connected"),
      events: sink.events.map(({ tokens, content }) => [tokens, content]),
      usage: end.usage,
      tokenSource: end.tokenSource,
      next: next.ends.map(outcomeWord).join(),
      // Whoever closes may do so before or after the next request is written: that is no difference of readers.
      isSocketKept: answer.end === "stays" ? next.connectsUs.length === 0 : null,
    };
  }

  #send(reader: number, id: string, exact: number | null): RecordingSink {
    const sink = new RecordingSink();
    const key = { kind: "closed", stage: 0, user: 0, j: 0 } as const;
    this.#targets[reader]?.send(
      0,
      { key, id, url: 0, body: Buffer.from('{"a":1}'), exactOutputTokens: exact },
      sink,
    );
    return sink;
  }

  *#steps(reader: number): Iterable<ScriptedStep> {
    if (this.#answer === null) return;
    yield* this.#answer.writes;
    this.#isPlayed[reader] = true;
    if (this.#answer.end === "closes") yield CLOSE;
    if (this.#answer.end === "resets") yield RESET;
  }

  /** Waits for the end, and lets time pass where the server has nothing more to say. */
  async #ended(sink: RecordingSink, reader: number): Promise<void> {
    for (let quiet = 0; sink.ends.length === 0; quiet++) {
      await turn();
      if (this.#isPlayed[reader] !== true) quiet = 0;
      if (quiet < SETTLED_TURNS) continue;
      this.#clocks[reader]?.jump();
      quiet = 0;
    }
  }
}

function requireOrder(sink: RecordingSink): void {
  const { stampsUs } = sink;
  if (stampsUs.some((us, i) => us < (stampsUs[i - 1] ?? 0)))
    throw new Error(`stamps go back: ${stampsUs.join(" ")}`);
}

async function settle(): Promise<void> {
  for (let i = 0; i < 4; i++) await turn();
}

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));
