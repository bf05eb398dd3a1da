export * from "./golden-case.js";
export * from "./golden-cases.js";
export * from "./golden-clock.js";
export * from "./golden-server.js";
