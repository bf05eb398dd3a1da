/** Takes back a call made with `Clock.at`. May be called twice. */
export type Cancel = () => void;

/** Time as it is handed to everything that waits or stamps; the system's or a virtual one. */
export interface Clock {
  /** Monotonic microseconds, integer; the zero point is this process's own affair. */
  nowUs(): number;
  /** Wall clock in milliseconds since 1970; labels reports, never measures. */
  wallMs(): number;
  /** Calls `fn` once, at or after `us` on the monotonic clock. */
  at(us: number, fn: () => void): Cancel;
}
