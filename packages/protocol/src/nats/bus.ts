import { type NatsConnection, errors as natsErrors } from "@nats-io/transport-node";
import { assert, LoadError } from "@tokenstorm/core";
import type { Bus, BusMessage, BusStatus, Subscription } from "../bus.js";
import { copyOf } from "../copy-of.js";
import { isSubject, isSubjectPattern } from "../subject-pattern.js";
import { messageOf, permissionViolation, toLoadError, within } from "./errors.js";

/** The bus over one connection. It does not own the connection. */
export function createNatsBus(connection: NatsConnection): Bus {
  const statuses = watchStatus(connection);
  return {
    publish: (subject, data) => {
      assert(isSubject(subject), `not a subject: ${subject}`);
      publishOrDrop(connection, subject, data);
    },
    subscribe: (pattern, handler) => {
      assert(isSubjectPattern(pattern), `not a subject to subscribe to: ${pattern}`);
      return subscribe(connection, pattern, handler);
    },
    request: async (subject, data, { timeoutMs }) => {
      assert(isSubject(subject), `not a subject: ${subject}`);
      try {
        return (await connection.request(subject, data, { timeout: timeoutMs })).data;
      } catch (error) {
        if (isNoAnswer(error)) return undefined;
        throw toLoadError(error, `asking ${subject}`);
      }
    },
    onStatus: (handler) => statuses.subscribe(handler),
    flush: async ({ timeoutMs }) => {
      try {
        await within(connection.flush(), timeoutMs, "flushing");
      } catch (error) {
        throw toLoadError(error, "flushing");
      }
    },
  };
}

/** What is published on a closed connection is lost, as on one that is broken; the status has told it. */
function publishOrDrop(connection: NatsConnection, subject: string, data: Uint8Array): void {
  if (connection.isClosed() || connection.isDraining()) return;
  const limit = connection.info?.max_payload ?? Number.POSITIVE_INFINITY;
  if (data.length > limit)
    throw new LoadError(
      "PROTOCOL_MALFORMED",
      `${data.length} bytes for ${subject} are over this server's limit of ${limit}`,
    );
  // The library sends it later, from the memory that it was given.
  connection.publish(subject, copyOf(data));
}

function subscribe(
  connection: NatsConnection,
  pattern: string,
  handler: (message: BusMessage) => void,
): Subscription {
  try {
    const subscription = connection.subscribe(pattern, {
      callback: (error, message) => {
        // A refused subscription shows as a status.
        if (error !== null) return;
        callSafely(() =>
          handler({
            subject: message.subject,
            data: message.data,
            respond: (data) => {
              if (message.reply !== undefined && message.reply !== "")
                publishOrDrop(connection, message.reply, data);
            },
          }),
        );
      },
    });
    return { close: () => subscription.unsubscribe() };
  } catch (error) {
    throw toLoadError(error, `subscribing to ${pattern}`);
  }
}

/** A handler that throws would end the library's read loop without a word: a bug in it must end the process instead. */
export function callSafely(handler: () => void): void {
  try {
    handler();
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}

function isNoAnswer(error: unknown): boolean {
  return (
    error instanceof natsErrors.TimeoutError ||
    error instanceof natsErrors.NoRespondersError ||
    (error instanceof natsErrors.RequestError && error.isNoResponders())
  );
}

/** One reader of the library's status for all who want to know. */
function watchStatus(connection: NatsConnection): {
  subscribe(handler: (status: BusStatus) => void): Subscription;
} {
  const handlers = new Set<(status: BusStatus) => void>();
  let present: BusStatus = { kind: "connected" };
  const tell = (status: BusStatus) => {
    if (status.kind !== "denied") present = status;
    for (const handler of [...handlers]) callSafely(() => handler(status));
  };
  const read = async () => {
    for await (const status of connection.status()) {
      if (status.type === "disconnect") tell({ kind: "disconnected" });
      else if (status.type === "reconnect") tell({ kind: "connected" });
      else if (status.type === "error") {
        const violation = permissionViolation(status.error);
        if (violation !== undefined)
          tell({ kind: "denied", subject: violation.subject, message: status.error.message });
      }
    }
    const error = await connection.closed();
    tell({ kind: "closed", message: error instanceof Error ? messageOf(error) : null });
  };
  void read();
  return {
    subscribe: (handler) => {
      let isOpen = true;
      const listener = (status: BusStatus) => {
        if (isOpen) handler(status);
      };
      queueMicrotask(() => {
        // Only now: a change on the way here must not be told before the state that it changes.
        if (isOpen) handlers.add(listener);
        callSafely(() => listener(present));
      });
      return {
        close: () => {
          isOpen = false;
          handlers.delete(listener);
        },
      };
    },
  };
}
