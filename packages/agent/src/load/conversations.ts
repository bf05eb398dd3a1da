import type { BuiltRequest } from "./request-factory.js";

/** A turn whose messages are built; the conversation so far comes between them when it is sent. */
export interface BuiltTurn {
  readonly conversation: number;
  /** JSON up to the list of messages, and from its end on. */
  readonly head: Uint8Array;
  readonly tail: Uint8Array;
  /** Messages as JSON; the first is null where the plan has none. */
  readonly system: Uint8Array | null;
  readonly message: Uint8Array;
}

interface History {
  readonly stage: number;
  readonly conversation: number;
  /** Messages as JSON, in their order. */
  readonly messages: Uint8Array[];
  /** What the user says in the request under way. */
  said: Uint8Array;
}

/**
 * What users and model have said to each other, by slot. A turn is sent with all turns of its conversation that completed
 * before it and their real answers; one that did not complete is left out, as if it had never been said, and the
 * conversation goes on. A new stage begins new conversations.
 */
export class Conversations {
  readonly #histories = new Map<number, History>();

  /** The request with its whole body: bytes that are there are copied together, nothing is encoded. */
  begin(slot: number, stage: number, built: BuiltRequest): BuiltRequest {
    const { turn, request } = built;
    if (turn === undefined) return built;
    const history = this.#historyOf(slot, stage, turn);
    history.said = turn.message;
    const messages = [...history.messages, turn.message].flatMap((message, i) =>
      i === 0 ? [message] : [COMMA, message],
    );
    const body = Buffer.concat([turn.head, ...messages, turn.tail]);
    return { ...built, request: { ...request, body } };
  }

  /** The slot's request has ended, with this answer; null where it did not complete. */
  ended(slot: number, answer: string | null): void {
    const history = this.#histories.get(slot);
    if (history === undefined || answer === null) return;
    history.messages.push(
      history.said,
      encoder.encode(JSON.stringify({ role: "assistant", content: answer })),
    );
  }

  #historyOf(slot: number, stage: number, { conversation, system }: BuiltTurn): History {
    const known = this.#histories.get(slot);
    if (known?.stage === stage && known.conversation === conversation) return known;
    const history = { stage, conversation, messages: system === null ? [] : [system], said: NOTHING };
    this.#histories.set(slot, history);
    return history;
  }
}

const COMMA = Buffer.from(",");
const NOTHING = new Uint8Array(0);
const encoder = new TextEncoder();
