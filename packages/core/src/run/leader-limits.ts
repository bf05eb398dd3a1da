/** Every wait of the leader of a run, us unless it says otherwise. */
export const LEADER_LIMITS = {
  /** After its own start a leader listens so long before it says who is there: its first beacon is answered at once. */
  listenUs: 400_000,
  /** Enough agents must have been there for so long, with no further one coming, before they are admitted. */
  settleUs: 300_000,
  /** While further agents keep coming, the ones there are admitted after so long all the same. */
  settleMostUs: 2_000_000,
  /** An agent that missed a heartbeat and a half is not admitted. */
  freshUs: 2_500_000,
  /** From admission until all agents are ready. */
  prepareUs: 60_000_000,
  /** Time zero lies so far ahead when it is proposed, and five round trips more. */
  startAheadUs: 2_000_000,
  /** The start is committed no later than so long before time zero. */
  commitBeforeUs: 500_000,
  /** So many times zero are proposed. */
  startAttempts: 3,
  /** Clocks that do not answer a new leader are asked so many times, longer than it takes to call an agent lost. */
  resumeAttempts: 5,
  /** An agent that has not started so long after time zero will not. */
  startedWithinUs: 3_000_000,
  /** An agent that is silent for so long is lost. */
  lostUs: 5_000_000,
  /** Agents know the end by their own clocks, and read a stop from the store before the leader does. */
  earlyUs: 2_500_000,
  /** The start of a stage after one bounded by requests is committed so far ahead. */
  stageAheadUs: 1_100_000,
  /** Beyond a stage's own limit and the grace time, for agents to say that they have done it. */
  stageDoneMoreUs: 10_000_000,
  /** Beyond the grace time, for agents to say that they have drained. */
  drainMoreUs: 10_000_000,
  /** Beyond the plan's deliverMs, for the last results to be confirmed. */
  deliverMoreUs: 10_000_000,
} as const;
