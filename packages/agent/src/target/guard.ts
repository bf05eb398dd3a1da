import {
  admitTarget,
  type Clock,
  LoadError,
  rulesText,
  type TargetRule,
  type TestPlan,
} from "@tokenstorm/core";
import { AddressesRefused, type Endpoint, placeOf, resolveAddresses } from "./endpoint.js";

/** Where an agent may send: what whoever started it has said, and no plan can change. */
export interface TargetGuard {
  /** None allows everything. */
  readonly rules: readonly TargetRule[];
  /** For messages. */
  readonly agent: string;
}

export const NO_GUARD: TargetGuard = { rules: [], agent: "" };

/**
 * Refuses endpoints that the rules do not allow, before a byte is sent to any of them. Names that only their addresses
 * can allow are looked up; what cannot be looked up is left to the first connection, which looks at the rules again.
 * Throws AGENT_NOT_READY naming URL, agent and rules.
 */
export async function requireAllowed(
  endpoints: readonly Endpoint[],
  guard: TargetGuard,
  limits: { readonly clock: Pick<Clock, "nowUs" | "at">; readonly timeouts: TestPlan["timeouts"] },
): Promise<void> {
  const admissions = endpoints.map((endpoint) => ({
    endpoint,
    admission: admitTarget(guard.rules, placeOf(endpoint)),
  }));
  const refused = admissions.find(({ admission }) => admission === "refused");
  if (refused !== undefined) throw notAllowed(refused.endpoint, guard, []);
  const unsure = admissions.filter(({ admission }) => admission === "by-address");
  if (unsure.length === 0) return;
  const lookups = Promise.all(unsure.map(({ endpoint }) => refusedAddresses(endpoint)));
  const found = (await withinMs(lookups, limits.timeouts.connectMs, limits.clock)) ?? [];
  for (const [i, addresses] of found.entries()) {
    const endpoint = unsure[i]?.endpoint;
    if (endpoint !== undefined && addresses.length > 0) throw notAllowed(endpoint, guard, addresses);
  }
}

async function refusedAddresses(endpoint: Endpoint): Promise<readonly string[]> {
  try {
    await resolveAddresses(endpoint);
    return [];
  } catch (error) {
    return error instanceof AddressesRefused ? error.addresses : [];
  }
}

/** Undefined when it takes longer. */
function withinMs<T>(
  work: Promise<T>,
  limitMs: number,
  clock: Pick<Clock, "nowUs" | "at">,
): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    const cancel = clock.at(clock.nowUs() + limitMs * 1000, () => resolve(undefined));
    work.then(resolve, reject).finally(cancel);
  });
}

function notAllowed(endpoint: Endpoint, guard: TargetGuard, addresses: readonly string[]): LoadError {
  const where = addresses.length === 0 ? endpoint.url : `${endpoint.url}, which is ${addresses.join(", ")}`;
  return new LoadError(
    "AGENT_NOT_READY",
    `agent ${guard.agent} may not send to ${where}: it is allowed ${rulesText(guard.rules)}`,
    {
      hint: "name a target that it allows, or start it with one more --allow-target (TOKENSTORM_ALLOW_TARGET)",
    },
  );
}
