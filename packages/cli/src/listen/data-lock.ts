import { rm } from "node:fs/promises";
import { connect, createServer, type Server } from "node:net";
import { join, relative } from "node:path";
import { LoadError, type LoadErrorCode } from "@tokenstorm/core";

/**
 * Takes a folder for this process alone: two servers on one folder of JetStream would ruin it. The lock is a listening
 * socket, which the system lets go of however the process ends; what a dead one left behind is taken over. Throws
 * BUS_UNAVAILABLE where a living process holds it.
 */
export function lockData(dataDir: string): Promise<{ release(): Promise<void> }> {
  return lockFolder(dataDir, {
    code: "BUS_UNAVAILABLE",
    message: `another coordinator uses the folder ${dataDir}`,
    hint: "stop it, or give this one a folder of its own: --data DIRECTORY",
  });
}

/** The same for any folder; throws what `taken` says where a living process holds it. */
export async function lockFolder(
  folder: string,
  taken: { readonly code: LoadErrorCode; readonly message: string; readonly hint: string },
): Promise<{ release(): Promise<void> }> {
  const path = shortest(join(folder, "lock"));
  for (let attempt = 1; ; attempt += 1) {
    const server = await listenOn(path, taken.code);
    if (server !== undefined) return { release: () => close(server) };
    if (attempt > 1 || (await isAlive(path)))
      throw new LoadError(taken.code, taken.message, { hint: taken.hint });
    await rm(path, { force: true });
  }
}

/** Undefined where the name is taken. */
function listenOn(path: string, code: LoadErrorCode): Promise<Server | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.unref();
    server.once("error", (cause: NodeJS.ErrnoException) => {
      if (cause.code === "EADDRINUSE") resolve(undefined);
      else
        reject(
          new LoadError(code, `${path} cannot be made: ${cause.message}`, {
            hint: "name a folder that can be written, with a shorter path",
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
