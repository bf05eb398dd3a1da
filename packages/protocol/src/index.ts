export * from "./blob-store.js";
export * from "./bus.js";
export * from "./messages.js";
export * from "./result-log.js";
export * from "./state-store.js";
export * from "./subjects.js";
export * from "./system-clock.js";
export * from "./transport.js";
