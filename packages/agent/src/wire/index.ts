export type { WireAnswer, WirePiece } from "./wire-answer.js";
export type { WireConnection, WireOptions, WireRequest } from "./wire-connection.js";
export { createWireTarget, type WireTarget } from "./wire-target.js";
