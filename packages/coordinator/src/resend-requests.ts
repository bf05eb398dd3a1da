import type { AgentView, Aggregate, ShardAssignment } from "@tokenstorm/core";
import type { Beacon } from "@tokenstorm/protocol";
import { COORDINATOR_LIMITS } from "./limits.js";

interface Watch {
  /** All intervals up to this one were in when the watch began. */
  readonly contiguous: number;
  readonly sinceUs: number;
}

/**
 * What an agent must deliver again: intervals that the log acknowledged to it and that have not come for a while, for
 * then the log has lost them. What it is still handing over comes by itself.
 */
export class ResendRequests {
  readonly #shards: readonly ShardAssignment[];
  readonly #aggregate: Aggregate;
  readonly #lags = new Map<string, Watch>();

  constructor(shards: readonly ShardAssignment[], aggregate: Aggregate) {
    this.#shards = shards;
    this.#aggregate = aggregate;
  }

  wanted(seen: {
    readonly nowUs: number;
    readonly agents: ReadonlyMap<string, AgentView>;
    readonly hasFinal: (agent: string) => boolean;
  }): Beacon["resend"] {
    const wanted: Beacon["resend"] = {};
    let left: number = COORDINATOR_LIMITS.resendSeqsInAll;
    for (const { agent, epoch, instance } of this.#shards) {
      if (left <= 0) break;
      const view = seen.agents.get(agent);
      if (view === undefined || view.instance !== instance || view.epoch !== epoch) continue;
      const isFinalMissing = !seen.hasFinal(agent) && HAS_FINAL.has(view.state);
      if (!this.#isLagging(agent, view, isFinalMissing, seen.nowUs)) continue;
      const seqs = this.#missing(agent, view, left);
      const isFinalLost = isFinalMissing && seqs.length === 0 && view.lastAcked >= view.lastCut;
      if (seqs.length > 0 || isFinalLost) wanted[agent] = { epoch, seqs, final: isFinalLost };
      left -= seqs.length;
    }
    return wanted;
  }

  /** Whether the same has been missing for long enough. */
  #isLagging(agent: string, view: AgentView, isFinalMissing: boolean, nowUs: number): boolean {
    const contiguous = this.#aggregate.contiguous(agent);
    if (contiguous >= view.lastAcked && !isFinalMissing) {
      this.#lags.delete(agent);
      return false;
    }
    const lag = this.#lags.get(agent);
    if (lag === undefined || lag.contiguous !== contiguous) {
      this.#lags.set(agent, { contiguous, sinceUs: nowUs });
      return false;
    }
    return nowUs - lag.sinceUs >= COORDINATOR_LIMITS.resendAfterMs * 1000;
  }

  /** Not what the agent says that it has given up. */
  #missing(agent: string, { lastAcked, gaps: given = [] }: AgentView, left: number): number[] {
    const seqs: number[] = [];
    const most = Math.min(left, COORDINATOR_LIMITS.resendSeqs);
    const gaps = this.#aggregate.agents().find(({ shard }) => shard.agent === agent)?.missing ?? [];
    for (const { from, to } of gaps) {
      for (let seq = from; seq <= Math.min(to, lastAcked); seq += 1) {
        if (seqs.length >= most) return seqs;
        if (!given.some((gap) => seq >= gap.from && seq <= gap.to)) seqs.push(seq);
      }
    }
    return seqs;
  }
}

/** Agents that have cut their last interval. */
const HAS_FINAL: ReadonlySet<AgentView["state"]> = new Set(["delivering", "done"]);
