import type { Engine, StepOutput, StepPlan } from "./engine.js";
import type { EngineRequest } from "./sequence.js";

/** Something that happens to the engine from outside, at a virtual time. */
export type VirtualEvent =
  | { readonly kind: "arrival"; readonly atUs: number; readonly request: EngineRequest }
  | { readonly kind: "abort"; readonly atUs: number; readonly id: number };

export interface VirtualRun {
  /** When each token of each request came out, unrounded microseconds. */
  readonly tokenTimesUs: ReadonlyMap<number, readonly number[]>;
  readonly outputs: ReadonlyMap<number, readonly StepOutput[]>;
  readonly steps: readonly { readonly startUs: number; readonly endUs: number; readonly plan: StepPlan }[];
  readonly endUs: number;
}

/**
 * Runs the engine without waiting until every request is done. A step starts when the last one ends,
 * or when something arrives at an idle engine; what arrives at the very end of a step joins the next.
 */
export function runInVirtualTime(engine: Engine, events: readonly VirtualEvent[]): VirtualRun {
  const queue = [...events].sort((a, b) => a.atUs - b.atUs);
  const tokenTimesUs = new Map<number, number[]>();
  const outputs = new Map<number, StepOutput[]>();
  const steps: { startUs: number; endUs: number; plan: StepPlan }[] = [];
  let nowUs = 0;
  let next = 0;
  const applyUntil = (limitUs: number): void => {
    for (let event = queue[next]; event !== undefined && event.atUs <= limitUs; event = queue[++next]) {
      if (event.kind === "arrival") engine.add(event.request);
      else engine.abort(event.id);
    }
  };
  for (;;) {
    applyUntil(nowUs);
    const plan = engine.beginStep();
    if (plan === undefined) {
      const event = queue[next];
      if (event === undefined) return { tokenTimesUs, outputs, steps, endUs: nowUs };
      nowUs = event.atUs;
      continue;
    }
    const startUs = nowUs;
    nowUs += plan.durationUs;
    steps.push({ startUs, endUs: nowUs, plan });
    // An abort inside the step takes its token away, so everything before the end comes first.
    applyUntil(nowUs);
    for (const output of engine.endStep()) {
      append(outputs, output.id, output);
      append(tokenTimesUs, output.id, nowUs);
    }
  }
}

function append<T>(map: Map<number, T[]>, key: number, value: T): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [value]);
  else list.push(value);
}
