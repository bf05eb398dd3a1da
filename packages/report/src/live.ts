// What shows a run while it runs, for a command that has yet to begin it: the rest of the package can wait for the end.
export * from "./columns.js";
export * from "./live-line.js";
export { type LiveOptions, renderLive } from "./live-screen.js";
