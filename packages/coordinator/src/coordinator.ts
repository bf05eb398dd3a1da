import type { Coordinator, CoordinatorDeps } from "./deps.js";
import { Lead } from "./lead.js";
import { takeLead } from "./leadership.js";

/** Leads the runs of one NATS account (or memory), one at a time. */
export function createCoordinator(deps: CoordinatorDeps): Coordinator {
  let lead: Lead | undefined;
  let isClosed = false;
  let closing: Promise<void> | undefined;
  return {
    run: async () => {
      if (isClosed) return;
      const leadership = await takeLead(deps);
      if (isClosed) return leadership.release();
      lead = new Lead(deps, leadership);
      await lead.over;
    },
    close: () => {
      isClosed = true;
      closing ??= lead?.close() ?? Promise.resolve();
      return closing;
    },
  };
}
