import assert from "node:assert/strict";
import type { Final, RunRecord } from "@tokenstorm/core";
import { decodeResult, lineToResult, type Result } from "@tokenstorm/protocol";
import { rawSnapshots } from "./kept.js";
import { RUN, type World } from "./world.js";

/**
 * Of an agent that lived to its end nothing is missing once its spool file is added to what coordinators' disks hold: an interval
 * leaves its memory only when a leader has it on the disk, or by being given up, which its final word or its heartbeats say. It
 * has come to its end when it has left the run, or says that it is done; one that is dead or stands still, or has heard of no
 * end yet, may still hold what nobody has seen.
 */
export function checkSpooled(world: World, record: RunRecord): void {
  const { processes, watch } = world;
  const holdings = holdingsOf(world);
  for (const { agent, instance, epoch } of record.shards) {
    const process = processes.agents.find((one) => one.instance === instance);
    if (process === undefined || process.clock.isDead || process.clock.isPaused) continue;
    const said = watch.said(instance);
    if (said?.run === RUN && said.state !== "done") continue;
    const { seqs, final } = holdings.get(keyOf({ agent, epoch })) ?? NOTHING;
    if (final === null) {
      const sent = processes.truth.filter((one) => one.instance === instance).length;
      assert.equal(sent, 0, `${agent} has left no final word, on no disk and in no spool file`);
      continue;
    }
    const given = givenUp(world, instance, final);
    const lost = Array.from({ length: final.lastSeq }, (_, i) => i + 1).filter(
      (seq) => !seqs.has(seq) && !given.has(seq),
    );
    assert.deepEqual(lost, [], `${agent}: intervals on no disk, in no spool file, and not given up`);
  }
}

/** Intervals that the agent holds no more and nobody had confirmed, by its final word and its heartbeats. */
export function givenUp({ watch }: World, instance: string, { gaps = [] }: Final): ReadonlySet<number> {
  const given = new Set(watch.gaps(instance));
  for (const { from, to } of gaps) for (let seq = from; seq <= to; seq += 1) given.add(seq);
  return given;
}

interface Holding {
  readonly seqs: Set<number>;
  final: Final | null;
}

const NOTHING: Holding = { seqs: new Set(), final: null };

/** What all disks and spool files together hold, by agent and epoch. */
function holdingsOf({ processes }: World): ReadonlyMap<string, Holding> {
  const holdings = new Map<string, Holding>();
  const of = (who: { readonly agent: string; readonly epoch: number }) => {
    const known = holdings.get(keyOf(who)) ?? { seqs: new Set(), final: null };
    holdings.set(keyOf(who), known);
    return known;
  };
  const take = (result: Result) => {
    if (result.kind === "final") of(result.final).final ??= result.final;
    else of(result.snapshot).seqs.add(result.snapshot.seq);
  };
  for (const disk of processes.disks.values()) {
    for (const folder of disk.names) {
      const text = disk.files(folder)?.get("snapshots.ndjson") ?? "";
      // A last line without its end is what was being written when somebody died.
      const whole = text.slice(0, text.lastIndexOf("\n") + 1);
      for (const one of rawSnapshots(whole)) of(one).seqs.add(one.seq);
      for (const line of whole.split("\n")) if (line.startsWith('{"kind":"final"')) take(lineToResult(line));
    }
  }
  for (const { kind, data } of processes.spooled) take(decodeResult(kind, data).result);
  return holdings;
}

function keyOf({ agent, epoch }: { readonly agent: string; readonly epoch: number }): string {
  return `${agent} ${epoch}`;
}
