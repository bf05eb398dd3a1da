import type { BusStatus } from "./bus.js";

export interface ConnectionNews {
  readonly level: "info" | "warn";
  readonly text: string;
}

/**
 * For the log of a process: that its connection to NATS is lost, once however often it is tried in vain, and that it is
 * there again. Undefined where a status is no news.
 */
export function createConnectionNews(): (status: BusStatus) => ConnectionNews | undefined {
  let isLost = false;
  return ({ kind }) => {
    if (kind === "disconnected" && !isLost) {
      isLost = true;
      return { level: "warn", text: "the connection to NATS is lost; it is tried again" };
    }
    if (kind === "connected" && isLost) {
      isLost = false;
      return { level: "info", text: "connected to NATS again" };
    }
    return undefined;
  };
}
