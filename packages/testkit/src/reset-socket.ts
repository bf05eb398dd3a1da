import type { Socket } from "node:net";

/**
 * Ends a connection by a RST; by a close where its end is just being said, or where it is not there yet. Node 20 keeps
 * the handle of a socket that is reset while it shuts down, and then the process can never exit.
 */
export function resetSocket(socket: Socket): void {
  const isShuttingDown = socket.writableEnded && !socket.writableFinished;
  if (socket.connecting || isShuttingDown) socket.destroy();
  else socket.resetAndDestroy();
}
