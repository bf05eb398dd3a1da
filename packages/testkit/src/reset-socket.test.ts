import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { resetSocket } from "./reset-socket.js";

const LIMIT = { timeout: 30_000 };

/** The server's end of a connection, and how the client's end comes to its end. */
async function connected(
  t: TestContext,
): Promise<{ readonly socket: Socket; readonly ending: Promise<string> }> {
  const server = createServer({ allowHalfOpen: true });
  t.after(() => server.close());
  await once(server.listen(0, "127.0.0.1"), "listening");
  const client = connect((server.address() as AddressInfo).port, "127.0.0.1");
  t.after(() => client.destroy());
  const ending = new Promise<string>((resolve) => {
    client.on("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? ""));
    client.on("end", () => resolve("end"));
  });
  client.resume();
  const [socket]: Socket[] = await once(server, "connection");
  assert.ok(socket !== undefined);
  return { socket, ending };
}

test("a reset reaches the other end as one", LIMIT, async (t) => {
  const { socket, ending } = await connected(t);
  resetSocket(socket);
  assert.equal(await ending, "ECONNRESET");
});

test("a socket that is just saying its end is closed, and no handle of it is left over", LIMIT, async (t) => {
  const { socket, ending } = await connected(t);
  socket.on("error", (error) => assert.fail(error));
  socket.end();
  resetSocket(socket);
  if (!socket.closed) await once(socket, "close");
  await ending;
});
