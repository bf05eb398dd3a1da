export * from "./columns.js";
export * from "./json-report.js";
export * from "./live-line.js";
export { type LiveOptions, renderLive } from "./live-screen.js";
export * from "./paint.js";
export * from "./rebuild.js";
export * from "./table.js";
export * from "./text-report.js";
export * from "./units.js";
