import { assert, type Clock } from "@tokenstorm/core";
import type { Bus, BusMessage, BusStatus, Subscription } from "../bus.js";
import { copyOf } from "../copy-of.js";
import { isSubject, isSubjectPattern, matchesSubject } from "../subject-pattern.js";
import { type Connection, checkOpen } from "./connection.js";

interface Subscriber {
  readonly pattern: string;
  readonly handler: (message: BusMessage) => void;
  isOpen: boolean;
}

/** The clients of one hub. */
export interface Switchboard {
  connect(connection: Connection): Bus & { disconnect(): void };
}

export function createSwitchboard(clock: Clock): Switchboard {
  const subscribers = new Set<Subscriber>();

  /** Number of subscribers that will be called; each in a microtask of its own, which keeps the order. */
  const send = (subject: string, data: Uint8Array, respond: (data: Uint8Array) => void): number => {
    assert(isSubject(subject), `not a subject: ${subject}`);
    const copy = copyOf(data);
    const takers = [...subscribers].filter((one) => matchesSubject(one.pattern, subject));
    for (const taker of takers) {
      queueMicrotask(() => {
        if (taker.isOpen) taker.handler({ subject, data: copy, respond });
      });
    }
    return takers.length;
  };

  return {
    connect: (connection) => {
      const own = new Set<Subscriber>();
      const waiting = new Set<() => void>();
      const listeners = new Set<(status: BusStatus) => void>();
      const drop = (one: Subscriber) => {
        one.isOpen = false;
        own.delete(one);
        subscribers.delete(one);
      };
      return {
        publish: (subject, data) => {
          if (!connection.isClosed) send(subject, data, () => undefined);
        },
        subscribe: (pattern, handler) => {
          checkOpen(connection);
          assert(isSubjectPattern(pattern), `not a subject to subscribe to: ${pattern}`);
          const one: Subscriber = { pattern, handler, isOpen: true };
          own.add(one);
          subscribers.add(one);
          return { close: () => drop(one) };
        },
        request: async (subject, data, { timeoutMs }) => {
          checkOpen(connection);
          return new Promise((resolve) => {
            const finish = (answer: Uint8Array | undefined) => {
              cancel();
              waiting.delete(giveUp);
              resolve(answer);
            };
            const giveUp = () => finish(undefined);
            const cancel = clock.at(clock.nowUs() + timeoutMs * 1000, giveUp);
            waiting.add(giveUp);
            // Only the first answer counts; the others resolve a promise that is resolved.
            const takers = send(subject, data, (answer) => {
              const copy = copyOf(answer);
              queueMicrotask(() => finish(copy));
            });
            if (takers === 0) queueMicrotask(giveUp);
          });
        },
        onStatus: (handler) => subscribeToStatus(connection, listeners, handler),
        flush: async () => checkOpen(connection),
        disconnect: () => {
          for (const one of own) drop(one);
          for (const giveUp of waiting) giveUp();
          for (const listener of listeners) tell(listener, { kind: "closed", message: null });
          listeners.clear();
        },
      };
    },
  };
}

function subscribeToStatus(
  connection: Connection,
  listeners: Set<(status: BusStatus) => void>,
  handler: (status: BusStatus) => void,
): Subscription {
  let isOpen = true;
  const listener = (status: BusStatus) => {
    if (isOpen) handler(status);
  };
  tell(listener, connection.isClosed ? { kind: "closed", message: null } : { kind: "connected" });
  if (!connection.isClosed) listeners.add(listener);
  return {
    close: () => {
      isOpen = false;
      listeners.delete(listener);
    },
  };
}

function tell(listener: (status: BusStatus) => void, status: BusStatus): void {
  queueMicrotask(() => listener(status));
}
