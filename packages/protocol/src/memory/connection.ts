import { LoadError } from "@tokenstorm/core";

/** One client's hold on the hub. */
export interface Connection {
  isClosed: boolean;
}

/** Throws BUS_UNAVAILABLE once the transport was closed, as a closed connection does. */
export function checkOpen(connection: Connection): void {
  if (connection.isClosed) throw new LoadError("BUS_UNAVAILABLE", "this connection was closed");
}
