export * from "./faulty-disk.js";
export * from "./faulty-transport.js";
export * from "./process-clock.js";
