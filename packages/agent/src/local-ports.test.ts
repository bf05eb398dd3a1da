import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { localPortRange, mostToOnePlace } from "./local-ports.js";

test("the range of local ports is as the system tells it, and 0 where it does not", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "tokenstorm-test-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, "range");
  for (const [text, ports] of [
    ["32768\t60999\n", 28_232],
    ["1024 65535", 64_512],
    ["nothing", 0],
    ["60999 32768", 0],
  ] as const) {
    writeFileSync(file, text);
    assert.equal(localPortRange(file), ports, text);
  }
  assert.equal(localPortRange(join(folder, "absent")), 0);
});

test("connections are counted by the place to which they lead, and one that is not up yet is none", async (t) => {
  const [first, second] = [await listening(t), await listening(t)];
  const sockets = await Promise.all([first, first, second, first].map((port) => connected(t, port)));
  assert.equal(mostToOnePlace(sockets), 3);
  const opening = connect(first, "127.0.0.1");
  t.after(() => opening.destroy());
  assert.equal(mostToOnePlace([opening]), 0);
  assert.equal(mostToOnePlace([]), 0);
});

function listening(t: TestContext): Promise<number> {
  const open = new Set<Socket>();
  const server = createServer((socket) => open.add(socket));
  t.after(() => {
    for (const socket of open) socket.destroy();
    server.close();
  });
  return new Promise((resolve, reject) => {
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      if (address === null || typeof address === "string") reject(new Error("no port"));
      else resolve(address.port);
    });
  });
}

function connected(t: TestContext, port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1", () => resolve(socket));
    socket.on("error", reject);
    t.after(() => socket.destroy());
  });
}
