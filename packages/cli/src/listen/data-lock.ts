import { rm } from "node:fs/promises";
import { connect, createServer, type Server } from "node:net";
import { join, relative } from "node:path";
import { LoadError } from "@tokenstorm/core";

/**
 * Takes a folder for this process alone: two servers on one folder of JetStream would ruin it. The lock is a listening
 * socket, which the system lets go of however the process ends; what a dead one left behind is taken over. Throws
 * BUS_UNAVAILABLE where a living process holds it.
 */
export async function lockData(dataDir: string): Promise<{ release(): Promise<void> }> {
  const path = shortest(join(dataDir, "lock"));
  for (let attempt = 1; ; attempt += 1) {
    const server = await listenOn(path);
    if (server !== undefined) return { release: () => close(server) };
    if (attempt > 1 || (await isAlive(path)))
      throw new LoadError("BUS_UNAVAILABLE", `another coordinator uses the folder ${dataDir}`, {
        hint: "stop it, or give this one a folder of its own: --data DIRECTORY",
      });
    await rm(path, { force: true });
  }
}

/** Undefined where the name is taken. */
function listenOn(path: string): Promise<Server | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.unref();
    server.once("error", (cause: NodeJS.ErrnoException) => {
      if (cause.code === "EADDRINUSE") resolve(undefined);
      else
        reject(
          new LoadError("BUS_UNAVAILABLE", `${path} cannot be made: ${cause.message}`, {
            hint: "give --data a folder that can be written, with a shorter path",
            cause,
          }),
        );
    });
    server.listen(path, () => resolve(server));
  });
}

function isAlive(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    const tell = (alive: boolean) => {
      socket.destroy();
      resolve(alive);
    };
    socket.once("connect", () => tell(true));
    socket.once("error", () => tell(false));
  });
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()));
}

/** Names of sockets have at most some hundred characters. */
function shortest(path: string): string {
  const fromHere = relative(process.cwd(), path);
  return fromHere.length < path.length ? fromHere : path;
}
