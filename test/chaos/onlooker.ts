import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import type { RunRecord, RunReport } from "@tokenstorm/core";
import {
  decodeEvent,
  LEADER_IN_LOG,
  type LogEntry,
  lineToResult,
  type Transport,
} from "@tokenstorm/protocol";
import { reportOfOnlooker } from "@tokenstorm/testkit";
import { RUN } from "../integration/killed-cluster.js";

const STREAM = "TS_RES";
/** From its being in the log until the onlooker has it, on a machine that is short of CPU. */
const SLOWEST_READ_MS = 10_000;

/** Why a report was not compared, for the test to say; null where it was, and is the same. */
export type NotCompared = string | null;

/** Somebody who folds the log of a run from its first entry on, whoever leads, and never leads. */
export class Onlooker {
  readonly #log: LogEntry[] = [];
  readonly #servers: readonly string[];

  private constructor(servers: readonly string[]) {
    this.#servers = servers;
  }

  static async follow({ log }: Transport, servers: readonly string[]): Promise<Onlooker> {
    const onlooker = new Onlooker(servers);
    await log.follow(RUN, (entry) => onlooker.#log.push(entry));
    return onlooker;
  }

  /**
   * Its report is the leader's, but for who led. Not compared is what the onlooker could not know: entries that a leader
   * has purged before it had them, which only an outage of NATS excuses, and what came into the log behind a verdict that
   * something is missing.
   */
  async compare(
    { record, report }: { readonly record: RunRecord; readonly report: RunReport },
    { mayMiss }: { readonly mayMiss: boolean },
  ): Promise<NotCompared> {
    if (!(await this.#hasSeenAll())) {
      assert.ok(mayMiss, "the onlooker lacks entries of the log, and NATS was there all the time");
      return "purged before the onlooker had it all";
    }
    const directory = record.result?.directory ?? "";
    const { facts } = JSON.parse(readFileSync(join(directory, "run.json"), "utf8"));
    const seen = new Set<string>();
    const own = reportOfOnlooker({
      record,
      log: untilVerdict(this.#log),
      transport: "nats",
      version: facts.version,
      onResult: ({ agent }, result, isNew) => {
        if (isNew) seen.add(keyOf(agent, result));
      },
    });
    if (record.result?.isWhole !== true && !isSame(seen, keptIn(directory)))
      return "results came between the leader's last look and its verdict";
    assert.deepEqual(withoutLeaders(own), withoutLeaders(report), "an onlooker writes another report");
    return null;
  }

  /** The run has the log for itself: its entries are numbered without a gap. */
  async #hasSeenAll(): Promise<boolean> {
    const connection = await connect({ servers: [...this.#servers] });
    try {
      const manager = await jetstreamManager(connection);
      const { state } = await manager.streams.info(STREAM);
      const untilMs = performance.now() + SLOWEST_READ_MS;
      for (;;) {
        const seen = new Set(this.#log.map(({ position }) => position));
        if (seen.size >= state.last_seq) return true;
        if (performance.now() > untilMs) return false;
        await wait(20);
      }
    } finally {
      await connection.close();
    }
  }
}

/** What came into the log behind the last verdict is in no report. */
function untilVerdict(log: readonly LogEntry[]): readonly LogEntry[] {
  const last = log.findLastIndex(
    ({ kind, agent, data }) =>
      kind === "event" && agent === LEADER_IN_LOG && decodeEvent(data).event.kind === "verdict",
  );
  return log.slice(0, last + 1);
}

type Result = ReturnType<typeof lineToResult>;

const keyOf = (agent: string, result: Result): string =>
  `${agent} ${result.kind === "snapshot" ? result.snapshot.seq : "final"}`;

function keptIn(directory: string): ReadonlySet<string> {
  const lines = readFileSync(join(directory, "snapshots.ndjson"), "utf8").split("\n");
  const results = lines.filter((line) => line !== "").map(lineToResult);
  return new Set(
    results.map((result) =>
      keyOf(result.kind === "snapshot" ? result.snapshot.agent : result.final.agent, result),
    ),
  );
}

const isSame = (one: ReadonlySet<string>, other: ReadonlySet<string>): boolean =>
  one.size === other.size && [...one].every((key) => other.has(key));

/** As it is written: what is undefined is not there. */
const withoutLeaders = (report: RunReport): unknown =>
  JSON.parse(JSON.stringify({ ...report, leading: null }));
