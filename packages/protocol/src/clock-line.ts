import { randomUUID } from "node:crypto";
import { type Clock, LoadError } from "@tokenstorm/core";
import type { Bus } from "./bus.js";
import { decodeClockReply, encodeClockProbe } from "./codec.js";
import type { ClockReply } from "./messages/index.js";
import type { Subjects } from "./subjects.js";

export interface ClockLineOptions {
  readonly bus: Pick<Bus, "publish" | "subscribe">;
  readonly subjects: Subjects;
  readonly clock: Clock;
  readonly agent: string;
  /** An answer that is none. */
  readonly onRefusal: (error: LoadError) => void;
}

/** An answer, and when it was asked and heard on the asker's clock, us. */
export interface ClockAnswer {
  readonly reply: ClockReply;
  readonly t0: number;
  readonly t3: number;
}

/** Asks one agent for its clock, as often as is wanted. Whoever opened it closes it. */
export interface ClockLine {
  /** Undefined when no answer came within the limit. */
  ask(options: { readonly timeoutMs: number }): Promise<ClockAnswer | undefined>;
  /** May be called twice; an open question is answered with undefined. */
  close(): void;
}

/**
 * The answers come on a subject of the agent's own. With inboxes an agent would need to publish to those of others, or
 * the right to answer whatever it hears; and since it may ask itself, NATS would then let it publish anywhere.
 */
export function openClockLine({ bus, subjects, clock, agent, onRefusal }: ClockLineOptions): ClockLine {
  const asker = randomUUID();
  const open = new Map<number, (answer: ClockAnswer | undefined) => void>();
  const subscription = bus.subscribe(subjects.clockAnswer(agent), ({ data }) => {
    const t3 = clock.nowUs();
    try {
      const reply = decodeClockReply(data);
      if (reply.asker === asker) open.get(reply.t0)?.({ reply, t0: reply.t0, t3 });
    } catch (error) {
      if (!(error instanceof LoadError)) throw error;
      onRefusal(error);
    }
  });
  return {
    ask: ({ timeoutMs }) => {
      const t0 = clock.nowUs();
      return new Promise((resolve) => {
        const finish = (answer: ClockAnswer | undefined) => {
          cancel();
          open.delete(t0);
          resolve(answer);
        };
        const cancel = clock.at(t0 + timeoutMs * 1000, () => finish(undefined));
        open.set(t0, finish);
        bus.publish(subjects.clock(agent), encodeClockProbe({ t0, asker }));
      });
    },
    close: () => {
      subscription.close();
      for (const finish of [...open.values()]) finish(undefined);
    },
  };
}
