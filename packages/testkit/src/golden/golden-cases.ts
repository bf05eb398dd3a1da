import { BROKEN } from "./golden-broken.js";
import type { GoldenCase } from "./golden-case.js";
import { COUNTS } from "./golden-counts.js";
import { FRAMING } from "./golden-framing.js";
import { HTTP } from "./golden-http.js";

/** Every trap that a stream may hold, each with what a reader must make of it. Names are unique. */
export const goldenCases: readonly GoldenCase[] = [...COUNTS, ...FRAMING, ...HTTP, ...BROKEN];
