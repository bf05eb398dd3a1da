export * from "./cgroup.js";
export * from "./target/target.js";
export * from "./vitals.js";
