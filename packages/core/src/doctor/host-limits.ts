/** Every limit of the checks of hosts and agents. */
export const CHECK_LIMITS = {
  /** An agent needs this many descriptors beside one for each request in flight (docs/deploy.md). */
  otherDescriptors: 100,
  /** Share of descriptors or local ports from which an agent's interval is yellow, as in `judgeVitals`. */
  yellowShare: 0.8,
  /** Offset of an agent's clock that is not known better than this would show in start errors, us. */
  clockErrorUs: 5_000,
  leastNode: [20, 18],
  leastNats: [2, 9],
} as const;
