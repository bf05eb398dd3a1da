export * from "./a-plan.js";
export * from "./nats.js";
export * from "./property.js";
export * from "./random.js";
export * from "./scripted-server.js";
export * from "./temp-dir.js";
export * from "./test-certificate.js";
export * from "./virtual-clock.js";
