/** Why a request counts as failed: the target's doing. Closed list. */
export const FAILURE_REASONS = [
  "dns",
  "connect-refused",
  "connect-timeout",
  "tls",
  "http-4xx",
  "http-5xx",
  "rate-limited",
  "not-a-stream",
  "ttft-timeout",
  "stall-timeout",
  "total-timeout",
  "stream-broken",
  "bad-frame",
  "error-event",
  "empty",
  "no-finish",
  "wrong-length",
] as const;
export type FailureReason = (typeof FAILURE_REASONS)[number];

/** How an answer said that it ended; `other`: with a word that is none of these, such as abort or content_filter. */
export const FINISH_REASONS = ["stop", "length", "tool_calls", "other"] as const;
export type FinishReason = (typeof FINISH_REASONS)[number];

/** Why a request that was due was never sent: over the in-flight bound, or later than `maxLatenessMs`. */
export const DROP_REASONS = ["in-flight-limit", "late"] as const;
export type DropReason = (typeof DROP_REASONS)[number];

/** What happened to one request: data, never an exception. */
export type Outcome =
  | { readonly kind: "completed" }
  | { readonly kind: "failed"; readonly reason: FailureReason }
  | { readonly kind: "cancelled" }
  | { readonly kind: "dropped"; readonly reason: DropReason }
  | { readonly kind: "unknown" };

/** Where a count of tokens came from. `continuous`: usage on every event; `events`: one event taken for one token. */
export const TOKEN_SOURCES = ["usage", "continuous", "events", "none"] as const;
export type TokenSource = (typeof TOKEN_SOURCES)[number];
