/** Every period and bound of the coordinator; those of a run's own course are the core's LEADER_LIMITS. */
export const COORDINATOR_LIMITS = {
  beaconMs: 1000,
  /** How often the leader of a run looks at what it waits for; changes are looked at at once. */
  lookMs: 100,
  /** Thresholds that end a run are judged at most so often. */
  judgeMs: 200,
  /** How often the store is asked for submitted runs and stops; a hint asks sooner. */
  readMs: 1000,
  /** Hints closer together are one. */
  hintPauseMs: 50,
  liveMs: 1000,
  /** The end of a run is told for so long, or until its agents have left it. */
  lingerMs: 3000,
  /** The lease's own times are the core's LEASE_LIMITS; this is how exactly they are kept. */
  leaseTickMs: 250,
  /** A run that is taken over goes on after so long, though the log has not shown all that it holds. */
  restoreMs: 15_000,
  /** Agents that do not answer a new leader are not waited for longer; run time needs one of them. */
  resumeProbeMs: 2000,
  /** In the course of a run clocks are compared so often, and after a while so many times less than it has lasted; */
  clocksMs: 30_000,
  clocksInRun: 20,
  /** by so many questions to each agent; */
  clockProbes: 8,
  /** at its end nobody is waited for longer than this. */
  lastClocksMs: 2000,
  /** More agents than this make more than one entry of the log. */
  clocksInEvent: 500,
  /** A run's leader waits so long for the store's answer, and twice as long as the last one took; */
  storeAnswerMs: 1500,
  /** never longer than this, which is beyond the store's own limit. */
  storeAnswerMostMs: 10_000,
  /** After a failure the store is asked again so soon; in vain for so long, the coordinator gives up. */
  storeRetryMs: 500,
  storeGiveUpMs: 120_000,
  writeAttempts: 20,
  /** The run directory is synced at most so often. */
  syncMs: 250,
  /** Lines that wait for the disk; beyond it the run fails. */
  pendingBytes: 256 * 1024 * 1024,
  /** A disk that is full is tried again so often; */
  diskRetryMs: 2000,
  /** and at the end of a run room is waited for so long. */
  diskWaitMs: 3_600_000,
  /** An interval that the log acknowledged and the leader has not seen for so long is asked for again. */
  resendAfterMs: 2000,
  resendSeqs: 1000,
  /** Of all agents together: a beacon stays small. */
  resendSeqsInAll: 10_000,
  /** The leader's own entries that wait for the log; beyond it the oldest are given up. */
  pendingEvents: 10_000,
  eventTimeoutMs: 5000,
  eventRetryMs: 500,
  /** What the log acknowledged and has not shown for so long is handed over again. */
  eventUnseenMs: 1500,
  /** At the end the log is waited for so long to take the leader's last entries. */
  eventFlushMs: 5000,
  /** While no run is led, the log is looked through so often for runs that are over. */
  sweepMs: 60_000,
  /** What is left in the log of a run that ended without all its intervals is kept so long. */
  unwholeKeptMs: 7 * 24 * 3_600_000,
  /** Scrapes that must be equal lie so far apart. */
  quiescentGapMs: 200,
  quiescentMs: 5000,
  scrapeTimeoutMs: 2000,
  /** Intervals shorter than this are scraped every so many. */
  scrapeLeastMs: 100,
  serverSamples: 1_000_000,
  events: 1000,
  purgeAttempts: 3,
  blobAttempts: 3,
  /** `close` ends the run that is led, within this. */
  closeMs: 3500,
  warnedRefusals: 20,
} as const;
