export * from "./target/target.js";
