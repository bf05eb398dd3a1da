import { LoadError } from "@tokenstorm/core";
import type { Bus, Subscription } from "./bus.js";

/** Calls back with BUS_DENIED for each of these subjects that NATS refuses this user, from now on. */
export function onDenied(
  bus: Pick<Bus, "onStatus">,
  subjects: readonly string[],
  handler: (error: LoadError) => void,
): Subscription {
  return bus.onStatus((status) => {
    if (status.kind !== "denied" || !subjects.includes(status.subject)) return;
    handler(
      new LoadError("BUS_DENIED", `NATS does not allow this user ${status.subject}: ${status.message}`, {
        hint: "use a user with the permissions that this command needs: --nats-user, --nats-creds or --nats-nkey",
      }),
    );
  });
}
