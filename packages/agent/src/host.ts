// What an agent knows of the host under it, for whoever starts agents and need not load what sends.
export * from "./cgroup.js";
export * from "./local-ports.js";
