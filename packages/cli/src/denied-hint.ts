import { onDenied, type Subscription } from "@tokenstorm/protocol";
import type { Cluster } from "./cluster.js";

/** A hint that is refused costs a second, no more; but nothing that NATS denies goes unsaid. */
export function onDeniedHint({ transport, subjects }: Cluster, say: (text: string) => void): Subscription {
  return onDenied(transport.bus, [subjects.hint], () =>
    say(
      `warning: NATS does not allow this user to publish to ${subjects.hint}; the coordinator looks each second anyway`,
    ),
  );
}
