import { assert } from "../errors.js";
import type { DataSetWorkload } from "../plan/schema.js";
import { STREAMS } from "../random/random.js";
import type { ChatMessage, DataSetEntry } from "./data-set.js";
import type { Draws } from "./draws.js";
import { drawLength } from "./lengths.js";
import { WORD_TEXT } from "./prompt-kinds.js";
import type { AskedText, Coordinates, RequestPlace } from "./request-spec.js";

/** Takes the prompts of one member from the lines of a file. */
export class DataSetText {
  readonly #workload: DataSetWorkload;
  readonly #entries: readonly DataSetEntry[];
  readonly #draws: Draws;

  constructor(
    workload: DataSetWorkload,
    options: { readonly entries: readonly DataSetEntry[]; readonly draws: Draws },
  ) {
    assert(options.entries.length > 0, `${workload.file} has no entries`);
    this.#workload = workload;
    this.#entries = options.entries;
    this.#draws = options.draws;
  }

  textFor(place: RequestPlace): AskedText {
    const { content, inputTokens, outputTokens } = this.#entry(place);
    return {
      promptTokens: inputTokens,
      outputTokens: outputTokens ?? this.#outputTokens(place.at),
      prompt: this.#prompt(content, place.at),
    };
  }

  #entry({ at, turn }: RequestPlace): DataSetEntry {
    const count = this.#entries.length;
    const index =
      this.#workload.order === "random"
        ? this.#draws.seeded(STREAMS.entry, at).nextBelow(count)
        : turn % count;
    const entry = this.#entries[index];
    assert(entry !== undefined, `there is no entry ${index} of ${count}`);
    return entry;
  }

  #outputTokens(at: Coordinates): number {
    const { outputTokens } = this.#workload;
    if (typeof outputTokens === "number") return outputTokens;
    return drawLength(outputTokens, this.#draws.seeded(STREAMS.outputLength, at));
  }

  #prompt(content: DataSetEntry["content"], at: Coordinates): AskedText["prompt"] {
    const salt = this.#workload.prompts === "unique" ? `${this.#salt(at)}\n` : "";
    if (typeof content === "string") return { kind: "text", text: salt + content };
    return { kind: "messages", messages: salted(content, salt) };
  }

  #salt(at: Coordinates): string {
    const units: number[] = [];
    WORD_TEXT.draw(units, this.#draws.salted(STREAMS.promptHead, at), WORD_TEXT.headUnits);
    const prompt = WORD_TEXT.prompt(units);
    assert(prompt.kind === "text", "words are text");
    return prompt.text;
  }
}

/** With the salt at the very beginning, whoever speaks first. */
function salted(messages: readonly ChatMessage[], salt: string): readonly ChatMessage[] {
  return messages.map((message, i) => (i === 0 ? { ...message, content: salt + message.content } : message));
}
