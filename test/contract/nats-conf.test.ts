import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { connectNats, type NatsRole, startNatsServer } from "@tokenstorm/protocol/nats";
import { natsServerOrSkip, tempDir, withNatsServer } from "@tokenstorm/testkit";
import { bytes, text } from "./transports.js";

const LIMIT = { timeout: 30_000 };
const SOON = { timeoutMs: 2000 };
const DENIED = { name: "LoadError", code: "BUS_DENIED" };
const FILE = fileURLToPath(new URL("../../../docker/nats.conf", import.meta.url));

/** The shipped file, but for the places that are the container's: its addresses and its folder. */
async function shippedConfig(dataDir: string): Promise<string> {
  const shipped = await readFile(FILE, "utf8");
  const ours = shipped
    .replace(/^(listen|http): .*$/gm, "")
    .replace('store_dir: "/data"', `store_dir: ${JSON.stringify(join(dataDir, "js"))}`);
  assert.notEqual(ours, shipped);
  return ours;
}

/** What the environment would hold: every user's password is its name. */
const withPasswords = (config: string) =>
  config.replace(/\$TOKENSTORM_(\w+)_PASSWORD/g, (_, user: string) =>
    JSON.stringify(user.toLowerCase().replaceAll("_", "-")),
  );

const connectAs = (
  url: string,
  {
    role,
    user,
    inboxPrefix,
  }: { readonly role: NatsRole; readonly user: string; readonly inboxPrefix?: string },
) => connectNats({ servers: [url], name: user, role, user, password: user, inboxPrefix, ...SOON });

test(
  "the shipped nats.conf lets each role in to do its work, and a viewer to nothing else",
  LIMIT,
  async (t) => {
    const extraConfig = withPasswords(await shippedConfig(await tempDir(t)));
    await withNatsServer(
      t,
      async ({ url }) => {
        const coordinator = await connectAs(url, { role: "coordinator", user: "coordinator" });
        const agent = await connectAs(url, { role: "agent", user: "agent" });
        const operator = await connectAs(url, { role: "operator", user: "operator" });
        const viewer = await connectAs(url, { role: "viewer", user: "viewer" });
        try {
          await operator.state.compareAndSet("run.r1", bytes("plan"), undefined);
          assert.equal(text((await agent.state.get("run.r1"))?.value), "plan");
          await assert.rejects(agent.state.compareAndSet("run.r1", bytes("forged"), 1), DENIED);
          const heard: string[] = [];
          operator.bus.subscribe("ts.v1.beacon", ({ data }) => heard.push(text(data) ?? ""));
          await operator.bus.flush(SOON);
          viewer.bus.publish("ts.v1.beacon", bytes("forged"));
          await viewer.bus.flush(SOON);
          await operator.bus.flush(SOON);
          assert.deepEqual(heard, []);
        } finally {
          await Promise.all([viewer, operator, agent, coordinator].map((one) => one.close()));
        }
      },
      { extraConfig },
    );
  },
);

test(
  "an agent's own block, as the shipped nats.conf offers it, is pinned to that agent",
  LIMIT,
  async (t) => {
    const shipped = await shippedConfig(await tempDir(t));
    const offered = shipped.replace(/^ *#\| /gm, "");
    assert.notEqual(offered, shipped);
    await withNatsServer(
      t,
      async ({ url }) => {
        const coordinator = await connectAs(url, { role: "coordinator", user: "coordinator" });
        const pinned = { role: "agent", user: "agent-a1", inboxPrefix: "_INBOX_agent-a1" } as const;
        const agent = await connectAs(url, pinned);
        try {
          const own = { run: "r1", agent: "a1", epoch: 1, kind: "snapshot", seq: 1, resend: 0 } as const;
          assert.deepEqual(await agent.log.append(own, bytes("1"), SOON), { duplicate: false });
          await assert.rejects(agent.log.append({ ...own, agent: "a2" }, bytes("1"), SOON), DENIED);
        } finally {
          await Promise.all([agent, coordinator].map((one) => one.close()));
        }
      },
      { extraConfig: withPasswords(offered) },
    );
  },
);

test("the shipped nats.conf starts no server while a password is missing", LIMIT, async (t) => {
  const bin = await natsServerOrSkip(t);
  if (bin === undefined) return;
  const dataDir = await tempDir(t);
  const start = startNatsServer({ bin, dataDir, extraConfig: await shippedConfig(dataDir) });
  await assert.rejects(start, /TOKENSTORM_COORDINATOR_PASSWORD/);
});
