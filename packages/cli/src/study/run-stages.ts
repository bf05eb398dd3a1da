import type { TestPlan } from "@tokenstorm/core";
import type { NatsAccess } from "../nats-options.js";
import { openLocalStage, openNatsStage, type RunStage } from "../run-stage.js";

export interface RunStagesOptions {
  readonly access: NatsAccess | undefined;
  readonly processes: number | "auto" | undefined;
  /** Folder of the run directories. */
  readonly out: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly signal: AbortSignal;
  readonly onNote: (text: string) => void;
}

/** Clusters for one run after another: one that fits is used again. */
export interface RunStages {
  stageFor(plan: TestPlan): Promise<{ readonly stage: RunStage; readonly plan: TestPlan }>;
  /** Ends what is open. May be called twice. */
  close(): Promise<void>;
}

export function createRunStages(options: RunStagesOptions): RunStages {
  const { access } = options;
  let open: { readonly fits: string; readonly stage: RunStage } | undefined;
  const close = async () => {
    const { stage } = open ?? {};
    open = undefined;
    await stage?.close();
  };
  return {
    stageFor: async (plan) => {
      // What a local cluster is made for; one behind NATS has the agents that it has.
      const fits = access === undefined ? JSON.stringify([plan.agents.min, plan.agents.labels]) : "";
      if (open?.fits !== fits) {
        await close();
        open = { fits, stage: await opened(plan, options) };
      }
      const { stage } = open;
      return { stage, plan: { ...plan, agents: { ...plan.agents, min: stage.plan.agents.min } } };
    },
    close,
  };
}

/** Interrupted only while it is being started: what runs already drains its run first. */
async function opened(plan: TestPlan, options: RunStagesOptions): Promise<RunStage> {
  const { access, processes, signal, ...rest } = options;
  if (access !== undefined) return openNatsStage(plan, access);
  const opening = new AbortController();
  const interrupt = () => opening.abort();
  signal.addEventListener("abort", interrupt, { once: true });
  if (signal.aborted) interrupt();
  try {
    const many = processes === undefined ? {} : { processes };
    return await openLocalStage(plan, { ...rest, ...many, signal: opening.signal });
  } finally {
    signal.removeEventListener("abort", interrupt);
  }
}
