/** Vitals of a process that nothing holds up, as far as they do not depend on who asks: green by every rule. */
export const CALM_FIGURES = {
  loopDelayP99Us: 100,
  loopDelayMaxUs: 200,
  utilisation: 0.1,
  cpu: 0.1,
  starvation: 0,
  gcUs: 0,
  throttledUs: 0,
  rssBytes: 1,
} as const;
