import { JetStreamApiError } from "@nats-io/jetstream";
import { errors as natsErrors } from "@nats-io/transport-node";
import { LoadError } from "@tokenstorm/core";

/** Codes of the JetStream API that this package tells apart. */
export const JS_CODES = {
  streamNotFound: 10059,
  wrongLastSequence: 10071,
  wrongLastSequenceUnknown: 10164,
  noRoom: 10047,
  noMemory: 10028,
  maxBytes: 10077,
  /** No server of the cluster can take a copy. */
  noPeers: 10005,
  /** No cluster. */
  noReplicas: 10074,
  noRoomForReplicas: 10023,
  /** Of a stream or an account; whoever reads now may be done in a moment. */
  mostConsumers: 10026,
  /** A reader that a cluster's server kept, and took with it; the next one is another's. */
  consumerNotFound: 10014,
} as const;

/** Whether it is the JetStream API's answer with one of these codes. */
export function isApiError(error: unknown, ...codes: readonly number[]): boolean {
  return error instanceof JetStreamApiError && codes.includes(error.code);
}

/** Nobody answers for a stream that was there: it has been deleted, or JetStream itself is not there at the moment. */
export function isStreamGone(error: unknown): boolean {
  return isApiError(error, JS_CODES.streamNotFound) || isNotEnabled(error);
}

/** No waiting mends it: the connection has ended, or the server would refuse the same question again. */
export function isOverForGood(error: unknown): boolean {
  if (error instanceof natsErrors.ClosedConnectionError || isRefused(error)) return true;
  return error instanceof Error && error.cause instanceof Error && isOverForGood(error.cause);
}

/** By what it has and allows, not by the state that it is in at the moment: its answers of 500 and more are of that. */
function isRefused(error: unknown): boolean {
  if (isApiError(error, JS_CODES.noRoom, JS_CODES.noMemory)) return true;
  if (isApiError(error, JS_CODES.mostConsumers, JS_CODES.consumerNotFound)) return false;
  if (!(error instanceof JetStreamApiError)) return false;
  return error.status >= 400 && error.status < 500;
}

/** The class itself is not among the library's public exports. */
function isNotEnabled(error: unknown): boolean {
  return error instanceof Error && error.name === "JetStreamNotEnabled";
}

/** Says what a failed question to NATS means: BUS_DENIED or BUS_UNAVAILABLE, with what was asked for. */
export function toLoadError(error: unknown, what: string): LoadError {
  if (error instanceof LoadError) return error;
  const violation = permissionViolation(error);
  if (violation !== undefined)
    return new LoadError(
      "BUS_DENIED",
      `${what}: NATS does not allow this user to ${violation.operation === "publish" ? "publish" : "subscribe"} to ${withoutToken(violation.subject)}`,
      {
        hint: "use a user with the permissions of the role: --nats-user, --nats-creds or --nats-nkey",
        cause: error,
      },
    );
  if (isNotEnabled(error))
    return new LoadError("BUS_UNAVAILABLE", `${what}: no JetStream answers on this NATS`, {
      hint: "start nats-server with JetStream: nats-server -js",
      cause: error,
    });
  if (error instanceof natsErrors.TimeoutError)
    return new LoadError("BUS_UNAVAILABLE", `${what}: NATS did not answer in time`, { cause: error });
  if (isApiError(error, JS_CODES.noReplicas)) return noCluster(what, error);
  if (isApiError(error, JS_CODES.noRoom, JS_CODES.noMemory, JS_CODES.maxBytes))
    return new LoadError("BUS_UNAVAILABLE", `${what}: NATS has no room left (${messageOf(error)})`, {
      hint: "free disk space on the NATS server, or raise its JetStream limits",
      cause: error,
    });
  return new LoadError("BUS_UNAVAILABLE", `${what}: ${messageOf(error)}`, { cause: error });
}

/** Several copies were asked for. */
export function noCluster(what: string, cause?: unknown): LoadError {
  return new LoadError(
    "BUS_UNAVAILABLE",
    `${what}: this NATS is no cluster, and cannot keep more than one copy`,
    { hint: "leave out --nats-replicas, or start the servers as a cluster", cause },
  );
}

/** Inboxes have a random part of each connection, which tells nobody anything. */
function withoutToken(subject: string): string {
  return subject.replace(/^(_INBOX[^.]*)\..*$/, "$1.>");
}

/** What the server refused, if that is what the error says. */
export function permissionViolation(
  error: unknown,
): { readonly operation: string; readonly subject: string } | undefined {
  if (error instanceof natsErrors.PermissionViolationError) return error;
  if (error instanceof Error && error.cause instanceof Error) return permissionViolation(error.cause);
  return undefined;
}

export function messageOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message === "" && error instanceof Error ? error.name : message;
}

/** Rejects with BUS_UNAVAILABLE when `promise` takes longer. What it settles to later is dropped. */
export async function within<T>(promise: Promise<T>, limitMs: number, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new LoadError("BUS_UNAVAILABLE", `${what}: NATS did not answer within ${limitMs} ms`)),
      limitMs,
    );
  });
  promise.catch(() => undefined);
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
