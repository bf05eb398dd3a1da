export * from "./control.js";
export * from "./live.js";
export * from "./parts.js";
export * from "./results.js";
export * from "./run-events.js";
export * from "./run-record.js";

/** Raised when a reader of an older message could not understand a newer one. */
export const PROTOCOL_VERSION = 1;
