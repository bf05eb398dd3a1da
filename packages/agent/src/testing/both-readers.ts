import { type TestContext, type TestOptions, test } from "node:test";
import { createRawTarget, createUndiciTarget } from "../target/targets.js";

export type CreateTarget = typeof createRawTarget;

export const READERS: readonly { readonly name: string; readonly create: CreateTarget }[] = [
  { name: "undici", create: createUndiciTarget },
  { name: "raw", create: createRawTarget },
];

/** A test that must hold whatever reads the answers. */
export function testBoth(
  name: string,
  body: (t: TestContext, create: CreateTarget) => Promise<void>,
  options: TestOptions = {},
): void {
  for (const reader of READERS) test(`${reader.name}: ${name}`, options, (t) => body(t, reader.create));
}
