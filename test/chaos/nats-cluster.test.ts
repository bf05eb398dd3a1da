import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import { type JetStreamManager, jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { LoadError } from "@tokenstorm/core";
import { connectNats, type RunningNatsServer } from "@tokenstorm/protocol/nats";
import { clusterServerName, natsServerOrSkip, startNatsCluster, tempDir } from "@tokenstorm/testkit";
import type { TestNats } from "../integration/cluster.js";
import { assertWhole, untilOver, untilState } from "../integration/killed-cluster.js";
import { CASE_LIMIT, onCluster, SIZE, WAIT_LIMIT_MS } from "./chaos-cluster.js";

const SERVERS = 3;
/** Older ones could lose what a cluster had acknowledged. */
const SOUND = [2, 10, 23];
/** Servers that have just begun agree slowly where the machine is busy. */
const API_MS = 20_000;
const STREAMS = ["TS_RES", "KV_TS_STATE", "OBJ_TS_BLOB", "OBJ_TS_DATA"];

interface NatsCluster extends TestNats {
  /** Kills the server that leads this stream. */
  killLeaderOf(stream: string): Promise<void>;
  /** Kills the server that reads the results to the coordinator. */
  killReader(): Promise<void>;
  readonly manager: JetStreamManager;
}

async function openNatsCluster(t: TestContext): Promise<NatsCluster | undefined> {
  const bin = await natsServerOrSkip(t);
  if (bin === undefined) return undefined;
  const servers = await startAgreed(t, bin);
  const url = urlOf(servers);
  const connection = await connect({
    servers: servers.map((server) => server.url),
    maxReconnectAttempts: -1,
  });
  t.after(() => connection.close());
  const version = connection.info?.version ?? "";
  if (!isSound(version)) {
    t.skip(`NATS CLUSTER NOT TRIED: nats-server ${version} is older than ${SOUND.join(".")}`);
    return undefined;
  }
  const [first] = servers;
  assert.ok(first !== undefined);
  const manager = await jetstreamManager(connection, { timeout: API_MS });
  const kill = async (name: string) => {
    const server = servers.find((_, i) => clusterServerName(i) === name);
    assert.ok(server !== undefined, `no server is ${name}`);
    process.kill(server.pid, "SIGKILL");
    await server.ended;
  };
  return {
    url,
    server: first,
    dataDir: await tempDir(t),
    options: { bin, dataDir: "" },
    manager,
    killLeaderOf: async (stream) =>
      kill(await untilNamed(async () => (await manager.streams.info(stream)).cluster?.leader)),
    killReader: async () =>
      kill(
        await untilNamed(async () => {
          // The coordinator alone reads; where it had to begin anew, its former reader stands there for some minutes.
          const readers = await manager.consumers.list("TS_RES").next();
          const [newest] = readers.toSorted((a, b) => Date.parse(b.created) - Date.parse(a.created));
          return newest?.cluster?.leader;
        }),
      ),
  };
}

/** Servers may be about to agree on a leader, and answer nothing, or that they cannot, until they have. */
async function untilNamed(look: () => Promise<string | undefined>): Promise<string> {
  const untilMs = performance.now() + WAIT_LIMIT_MS;
  for (;;) {
    const found = await look().then(
      (name) => ({ name: name ?? "", why: "nobody" }),
      (error: Error) => ({ name: "", why: error.message }),
    );
    if (found.name !== "") return found.name;
    assert.ok(performance.now() < untilMs, `no server leads it: ${found.why}`);
    await wait(100);
  }
}

function isSound(version: string): boolean {
  const [major = 0, minor = 0, patch = 0] = version.split(".").map(Number);
  const [a = 0, b = 0, c = 0] = SOUND;
  return major > a || (major === a && (minor > b || (minor === b && patch >= c)));
}

const urlOf = (servers: readonly RunningNatsServer[]): string =>
  servers.map((server) => server.url).join(",");

/** Usually within some five seconds; all attempts leave a case the time that it needs. */
const AGREED_MS = 20_000;
const AGREED_ATTEMPTS = 4;
/** What is asked while servers elect a leader gets no answer; a longer limit would be waited for whole. */
const AGREEING_API_MS = 3000;

/**
 * Of some twenty clusters one finds no peers to place a stream on, for a minute and longer: what tokenstorm does then is no
 * matter of these cases. Others are started in their place, and what the former ones said is told.
 */
async function startAgreed(t: TestContext, bin: string): Promise<readonly RunningNatsServer[]> {
  for (let attempt = 1; ; attempt += 1) {
    const servers = await startNatsCluster(t, bin, SERVERS);
    try {
      await untilAgreed(urlOf(servers));
      return servers;
    } catch (error) {
      for (const server of servers) await server.close();
      const said = await Promise.all(servers.map(({ ended }) => ended));
      t.diagnostic(`NOTE: NATS servers did not agree (attempt ${attempt}): ${error}\n${said.join("\n")}`);
      if (attempt === AGREED_ATTEMPTS) throw error;
    }
  }
}

/** A cluster takes streams as soon as its servers have found each other and one of them leads. */
async function untilAgreed(url: string): Promise<void> {
  const untilMs = performance.now() + AGREED_MS;
  for (;;) {
    try {
      const transport = await connectNats({
        servers: url.split(","),
        role: "coordinator",
        name: "test",
        replicas: 3,
        timeoutMs: AGREEING_API_MS,
      });
      await transport.close();
      return;
    } catch (error) {
      if (!(error instanceof LoadError) || performance.now() >= untilMs) throw error;
      await wait(100);
    }
  }
}

describe("a NATS cluster of three", { concurrency: SIZE.concurrency }, () => {
  const victims: Readonly<Record<string, (nats: NatsCluster) => Promise<void>>> = {
    "that leads the results": (nats) => nats.killLeaderOf("TS_RES"),
    "that leads the state": (nats) => nats.killLeaderOf("KV_TS_STATE"),
    "that reads the results to the coordinator": (nats) => nats.killReader(),
  };
  for (const [victim, happen] of Object.entries(victims)) {
    test(`loses the server ${victim} in mid-run: the run ends complete`, CASE_LIMIT, async (t) => {
      const nats = await openNatsCluster(t);
      if (nats === undefined) return;
      await onCluster(t, nats, async (cluster) => {
        await cluster.startCoordinator();
        await Promise.all(["a1", "a2"].map((id) => cluster.startAgent(id)));
        for (const one of STREAMS) await untilCopies(nats, one, SERVERS);
        await cluster.submit();
        await untilState(cluster, "running");
        assert.ok(await cluster.cutting());
        await happen(nats);
        const record = await untilOver(cluster);
        assert.deepEqual([record.state, record.problem], ["completed", null]);
        const { report, joined } = await cluster.join(record, { isNatsHit: true });
        assertWhole(report);
        assert.ok(joined.byId > 0);
        t.diagnostic(JSON.stringify({ term: record.term, ...joined }));
      });
    });
  }

  test("copies are as many as were asked for, and three by themselves", CASE_LIMIT, async (t) => {
    const nats = await openNatsCluster(t);
    if (nats === undefined) return;
    const open = async (replicas?: 1 | 3) => {
      const servers = nats.url.split(",");
      const transport = await connectNats({
        servers,
        role: "coordinator",
        name: "test",
        replicas,
        timeoutMs: API_MS,
      });
      await transport.close();
    };
    await open(1);
    for (const stream of STREAMS) await untilCopies(nats, stream, 1);
    for (const stream of STREAMS) await nats.manager.streams.delete(stream);
    await open();
    for (const stream of STREAMS) await untilCopies(nats, stream, SERVERS);
  });
});

/** A stream whose copies have just been changed may be without a leader for a moment. */
async function untilCopies({ manager }: NatsCluster, stream: string, copies: number): Promise<void> {
  const untilMs = performance.now() + WAIT_LIMIT_MS;
  for (;;) {
    const found = await manager.streams.info(stream).then(
      ({ config }) => config.num_replicas,
      (error: Error) => error.message,
    );
    if (found === copies) return;
    assert.ok(performance.now() < untilMs, `${stream} has ${found} copies, not ${copies}`);
    await wait(100);
  }
}
