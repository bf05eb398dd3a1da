import type { ConversationWorkload, Length } from "../plan/schema.js";
import { STREAMS, type Stream } from "../random/random.js";
import type { Calibration } from "./calibration.js";
import { DrawnPrompt } from "./drawn-prompt.js";
import type { Draws } from "./draws.js";
import { drawLength } from "./lengths.js";
import { WORD_TEXT } from "./prompt-kinds.js";
import type { AskedText, Coordinates, RequestPlace } from "./request-spec.js";

/** Which request of which conversation of a user. */
interface Turn {
  readonly conversation: number;
  readonly turn: number;
}

/**
 * The user's side of conversations. Request j of a user is turn t of its conversation c, whatever became of the requests
 * before; lengths of conversations are drawn from the seed. The first message begins with a head drawn from the salt.
 */
export class ConversationText {
  readonly #workload: ConversationWorkload;
  readonly #calibration: Calibration;
  readonly #draws: Draws;
  /** By user: where its conversation began that was looked at last. */
  readonly #begun = new Map<string, { readonly conversation: number; readonly j: number }>();

  constructor(
    workload: ConversationWorkload,
    options: { readonly calibration: Calibration; readonly draws: Draws },
  ) {
    this.#workload = workload;
    this.#calibration = options.calibration;
    this.#draws = options.draws;
  }

  textFor({ at }: RequestPlace): AskedText {
    const { turn, conversation } = this.#turn(at);
    const first = at.at(-1) ?? 0;
    const { systemTokens = 0 } = this.#workload;
    let promptTokens = systemTokens;
    for (let before = 0; before < turn; before += 1) {
      const earlier = [...at.slice(0, -1), first - turn + before];
      promptTokens += this.#inputTokens(earlier) + this.#outputTokens(earlier);
    }
    const own = this.#inputTokens(at);
    return {
      promptTokens: promptTokens + own,
      outputTokens: this.#outputTokens(at),
      prompt: this.#message(own, { at, isFirst: turn === 0 }),
      turn: { conversation, turn, system: this.#system() },
    };
  }

  /** The last coordinate is j. */
  #turn(at: Coordinates): Turn {
    const j = at.at(-1) ?? 0;
    const { turns } = this.#workload;
    if (typeof turns === "number") return { conversation: Math.floor(j / turns), turn: j % turns };
    const user = at.slice(0, -1);
    const key = user.join();
    const known = this.#begun.get(key);
    let from = known !== undefined && known.j <= j ? known : { conversation: 0, j: 0 };
    for (;;) {
      const count = drawCount(turns, this.#draws, [...user, from.conversation]);
      if (j < from.j + count) break;
      from = { conversation: from.conversation + 1, j: from.j + count };
    }
    this.#begun.set(key, from);
    return { conversation: from.conversation, turn: j - from.j };
  }

  #message(
    tokens: number,
    { at, isFirst }: { readonly at: Coordinates; readonly isFirst: boolean },
  ): DrawnPrompt {
    const count = isFirst
      ? WORD_TEXT.unitsOfPrompt(tokens, this.#calibration)
      : WORD_TEXT.unitsOfText(tokens, this.#calibration);
    const head = isFirst ? Math.min(count, WORD_TEXT.headUnits) : 0;
    return new DrawnPrompt(WORD_TEXT, [
      { count: head, random: () => this.#draws.salted(STREAMS.promptHead, at) },
      { count: count - head, random: () => this.#draws.seeded(STREAMS.promptBody, at) },
    ]);
  }

  /** Of all conversations of the run; its beginning is the run's own. */
  #system(): DrawnPrompt | null {
    const { systemTokens } = this.#workload;
    if (systemTokens === undefined) return null;
    const count = WORD_TEXT.unitsOfText(systemTokens, this.#calibration);
    const head = Math.min(count, WORD_TEXT.headUnits);
    return new DrawnPrompt(WORD_TEXT, [
      { count: head, random: () => this.#draws.commonSalted(STREAMS.commonHead) },
      { count: count - head, random: () => this.#draws.common(STREAMS.commonBody) },
    ]);
  }

  #inputTokens(at: Coordinates): number {
    return this.#length(this.#workload.inputTokens, STREAMS.inputLength, at);
  }

  #outputTokens(at: Coordinates): number {
    return this.#length(this.#workload.outputTokens, STREAMS.outputLength, at);
  }

  #length(length: Length, stream: Stream, at: Coordinates): number {
    return typeof length === "number" ? length : drawLength(length, this.#draws.seeded(stream, at));
  }
}

function drawCount(
  { min, max }: { readonly min: number; readonly max: number },
  draws: Draws,
  at: Coordinates,
): number {
  return min + draws.seeded(STREAMS.turns, at).nextBelow(max - min + 1);
}
