import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { chmod, mkdir, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import { findNatsServer, startNatsServer } from "@tokenstorm/protocol/nats";
import { natsServerOrSkip, tempDir, withNatsServer } from "@tokenstorm/testkit";

const LIMIT = { timeout: 30_000 };

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

async function untilGone(pid: number, limitMs = 8000): Promise<void> {
  const deadline = performance.now() + limitMs;
  while (isAlive(pid)) {
    assert.ok(performance.now() < deadline, `process ${pid} still lives after ${limitMs} ms`);
    await wait(10);
  }
}

/** A process that starts a server and says so, then waits; a session of its own, as a terminal's would be. */
async function parentWithServer(bin: string, dataDir: string) {
  const nats = import.meta.resolve("@tokenstorm/protocol/nats");
  const program = `
    const { startNatsServer } = await import(${JSON.stringify(nats)});
    const server = await startNatsServer(${JSON.stringify({ bin, dataDir })});
    process.on("SIGINT", () => console.log("interrupted"));
    console.log(JSON.stringify({ pid: server.pid, port: server.port }));
    setInterval(() => {}, 1000);`;
  const parent = spawn(process.execPath, ["--input-type=module", "-e", program], {
    stdio: ["ignore", "pipe", "inherit"],
    detached: true,
  });
  const lines = createInterface({ input: parent.stdout })[Symbol.asyncIterator]();
  const nextLine = async (): Promise<string> => String((await lines.next()).value);
  const { pid }: { pid: number } = JSON.parse(await nextLine());
  return { parent, serverPid: pid, nextLine };
}

test("a server that was started ends with a parent that is killed, however suddenly", LIMIT, async (t) => {
  const bin = await natsServerOrSkip(t);
  if (bin === undefined) return;
  for (const signal of ["SIGKILL", "SIGTERM"] as const) {
    const { parent, serverPid } = await parentWithServer(bin, await tempDir(t));
    assert.ok(isAlive(serverPid));
    parent.kill(signal);
    await untilGone(serverPid);
  }
});

test("Ctrl-C in the parent's terminal does not reach the server", LIMIT, async (t) => {
  const bin = await natsServerOrSkip(t);
  if (bin === undefined) return;
  const { parent, serverPid, nextLine } = await parentWithServer(bin, await tempDir(t));
  // A terminal sends the signal to the whole group in the foreground.
  process.kill(-(parent.pid ?? 0), "SIGINT");
  assert.equal(await nextLine(), "interrupted");
  assert.ok(isAlive(serverPid));
  parent.kill("SIGKILL");
  await untilGone(serverPid);
});

test("close ends the server and may be called twice; a server that hangs is killed", LIMIT, async (t) => {
  await withNatsServer(t, async (server) => {
    process.kill(server.pid, "SIGSTOP");
    const started = performance.now();
    await Promise.all([server.close(), server.close()]);
    assert.ok(!isAlive(server.pid));
    assert.ok(performance.now() - started < 6000);
    await server.close();
  });
});

test("a server that ends by itself says so", LIMIT, async (t) => {
  await withNatsServer(t, async (server) => {
    process.kill(server.pid, "SIGKILL");
    assert.equal(typeof (await server.ended), "string");
    await server.close();
  });
});

test("a server that cannot start says why in one line", LIMIT, async (t) => {
  const bin = await natsServerOrSkip(t);
  if (bin === undefined) return;
  const cases = [
    { options: { bin, extraConfig: "authorization { users = [ {" }, says: /nats-server/ },
    { options: { bin: "/nowhere/nats-server" }, says: /\/nowhere\/nats-server did not start/ },
    { options: { bin: "/bin/false" }, says: /\/bin\/false did not start: it said nothing/ },
  ];
  for (const { options, says } of cases) {
    await assert.rejects(startNatsServer({ dataDir: await tempDir(t), ...options }), (error) => {
      assert.ok(error instanceof Error && "code" in error && error.code === "BUS_UNAVAILABLE");
      assert.match(error.message, says);
      assert.doesNotMatch(error.message, /\n/);
      return true;
    });
  }
});

test("a port that is taken is told", LIMIT, async (t) => {
  const bin = await natsServerOrSkip(t);
  if (bin === undefined) return;
  const taken = createServer();
  await new Promise<void>((resolve) => taken.listen(0, "127.0.0.1", resolve));
  t.after(() => taken.close());
  const address = taken.address();
  assert.ok(address !== null && typeof address === "object");
  await assert.rejects(startNatsServer({ bin, dataDir: await tempDir(t), port: address.port }), {
    code: "BUS_UNAVAILABLE",
    message: /address already in use/,
  });
});

test("a folder with odd characters and a password with quotes are taken as they are", LIMIT, async (t) => {
  const bin = await natsServerOrSkip(t);
  if (bin === undefined) return;
  const dataDir = join(await tempDir(t), `it's "here" $HOME`);
  const server = await startNatsServer({ bin, dataDir, users: [{ user: "o", password: `a"b\\c $x` }] });
  await server.close();
});

test(
  "a server is found by its variable, in PATH, in the cache, newest first; old ones are passed over",
  LIMIT,
  async (t) => {
    const folder = await tempDir(t);
    const fake = async (place: string, version: string) => {
      const file = join(folder, place, "nats-server");
      await mkdir(join(folder, place), { recursive: true });
      await writeFile(file, `#!/bin/sh\necho "nats-server: v${version}"\n`);
      await chmod(file, 0o755);
      return file;
    };
    const old = await fake("old", "2.8.4");
    const cacheDir = join(folder, "cache");
    const nine = await fake("cache/nats-server/2.9.10", "2.9.10");
    const ten = await fake("cache/nats-server/2.10.27", "2.10.27");
    const cached = await findNatsServer({ PATH: join(folder, "old") }, { cacheDir });
    // Only where this machine has no server of its own in a system folder.
    if (cached?.bin.startsWith(folder)) assert.deepEqual(cached, { bin: ten, version: "2.10.27" });
    const inPath = await fake("path", "2.11.1");
    const PATH = `${join(folder, "old")}:${join(folder, "path")}`;
    assert.deepEqual(await findNatsServer({ PATH, NATS_SERVER_BIN: "" }, { cacheDir }), {
      bin: inPath,
      version: "2.11.1",
    });
    assert.deepEqual(await findNatsServer({ PATH, NATS_SERVER_BIN: nine }), { bin: nine, version: "2.9.10" });
    for (const NATS_SERVER_BIN of [old, "/bin/true", "/nowhere"])
      await assert.rejects(findNatsServer({ PATH, NATS_SERVER_BIN }), { code: "BUS_UNAVAILABLE" });
  },
);
