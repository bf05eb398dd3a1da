import assert from "node:assert/strict";
import type { Ledger, RequestKey } from "@tokenstorm/core";
import type { Cluster, TestAgent } from "./cluster.js";

/** One request as the target got it, in run time. */
export interface Sent {
  readonly key: string;
  readonly stage: number;
  readonly id: string;
  readonly url: number;
  readonly body: string;
  readonly tUs: number;
}

export function sentBy(cluster: Cluster, ...agents: readonly TestAgent[]): Sent[] {
  return agents.flatMap((agent) =>
    agent.targets.flatMap((target) =>
      target.sends.map(({ key, id, url, body, tUs }) => ({
        key: keyText(key),
        stage: key.stage,
        id,
        url,
        body,
        tUs: tUs - agent.offsetUs - cluster.zeroUs,
      })),
    ),
  );
}

export function keyText(key: RequestKey): string {
  return key.kind === "open" ? `s${key.stage}-k${key.k}` : `s${key.stage}-u${key.user}-j${key.j}`;
}

export function byId(requests: readonly Sent[]): Sent[] {
  return [...requests].sort((one, other) => (one.id < other.id ? -1 : 1));
}

/** What holds at the end of every run, however it went: nothing is lost between due and outcome. */
export function checkBooks(cluster: Cluster): void {
  for (const final of cluster.finals) {
    const own = cluster.snapshots.filter(({ agent }) => agent === final.agent);
    const bySeq = new Map(own.map((snapshot) => [snapshot.seq, snapshot]));
    assert.equal(bySeq.size, final.lastSeq, `${final.agent}: every interval is in the log`);
    checkEnd(final.ledger);
    let fromUs = 0;
    for (let seq = 1; seq <= final.lastSeq; seq += 1) {
      const snapshot = bySeq.get(seq);
      assert.ok(snapshot, `${final.agent} interval ${seq}`);
      assert.equal(snapshot.fromUs, fromUs, "intervals follow one another");
      fromUs = snapshot.toUs;
    }
    const sum = (pick: (block: (typeof own)[number]["blocks"][number]) => number) =>
      [...bySeq.values()].flatMap(({ blocks }) => blocks).reduce((total, block) => total + pick(block), 0);
    assert.equal(
      sum(({ due }) => due.offered),
      final.ledger.offered,
      "offered",
    );
    assert.equal(
      sum(({ flow }) => flow.sent),
      final.ledger.sent,
      "sent",
    );
    assert.equal(
      sum(
        ({ due }) =>
          due.completed +
          due.cancelled +
          due.unknown +
          due.censored +
          total(Object.values(due.failed)) +
          total(Object.values(due.dropped)),
      ),
      final.ledger.offered,
      "each request has one outcome",
    );
  }
}

function checkEnd(ledger: Ledger): void {
  const { offered, sent, unsent, dropped, waiting, inFlight } = ledger;
  assert.equal(offered, sent + unsent + dropped + waiting);
  assert.equal(waiting, 0);
  assert.equal(inFlight, 0);
}

function total(counts: readonly (number | undefined)[]): number {
  return counts.reduce<number>((sum, count) => sum + (count ?? 0), 0);
}
