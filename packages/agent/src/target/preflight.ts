import type { TestPlan } from "@tokenstorm/core";
import type { Wiring } from "./connection.js";
import type { Endpoint } from "./endpoint.js";
import type { ApiKey } from "./request-headers.js";
import type { Preflight } from "./target.js";

export interface PreflightOptions {
  readonly plan: TestPlan;
  readonly key: ApiKey | null;
  readonly endpoints: readonly Endpoint[];
  readonly wiring: Wiring;
  readonly reader: string;
}

export async function runPreflight(_options: PreflightOptions): Promise<Preflight> {
  throw new Error("not there yet");
}
