import type { StudyInput } from "../schema.js";

/** A study of two conditions that is right; what a test is about is laid over it. */
export function aStudy(over: Partial<StudyInput> = {}): StudyInput {
  const target = { urls: ["http://127.0.0.1:8000"] };
  return {
    version: 1,
    name: "example",
    conditions: [
      { name: "a", target },
      { name: "b", target },
    ],
    suites: [aSuite()],
    ...over,
  };
}

type SuiteInput = StudyInput["suites"][number];

export function aSuite(over: Partial<SuiteInput> = {}): SuiteInput {
  return {
    name: "levels",
    phase: "multi-run",
    plan: { load: { kind: "users", stages: [{ users: 10, requests: 100 }] } },
    ...over,
  };
}
