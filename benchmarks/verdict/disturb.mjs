const PHASES = ["quiet", "hog", "stops", "both"];
const PHASE_MS = [3000, 6000];
const STOP_MS = [20, 300];
const BETWEEN_STOPS_MS = [200, 1500];

/**
 * Takes the CPU from the agents in phases: the hog on their core goes on and off, and each agent is stopped now and then.
 * `end` leaves all of them going (the hog stopped), and gives the phases with their beginnings on the monotonic clock, us.
 */
export function disturb({ hog, agents, seed }) {
  const random = mulberry32(seed);
  const between = ([from, to]) => from + random() * (to - from);
  const timers = new Set();
  const phases = [];
  let isOver = false;
  let hasStops = false;
  const after = (ms, work) => {
    const timer = setTimeout(() => {
      timers.delete(timer);
      if (!isOver) work();
    }, ms);
    timers.add(timer);
  };
  let order = [];
  const nextPhase = () => {
    if (order.length === 0) order = PHASES.toSorted(() => random() - 0.5);
    const name = order.pop();
    phases.push({ name, fromUs: Number(process.hrtime.bigint() / 1000n) });
    hasStops = name === "stops" || name === "both";
    hog.kill(name === "hog" || name === "both" ? "SIGCONT" : "SIGSTOP");
    after(between(PHASE_MS), nextPhase);
  };
  const stopNow = (agent) => {
    const ms = between(STOP_MS);
    if (hasStops) {
      agent.kill("SIGSTOP");
      after(ms, () => agent.kill("SIGCONT"));
    }
    after(ms + between(BETWEEN_STOPS_MS), () => stopNow(agent));
  };
  nextPhase();
  for (const agent of agents) stopNow(agent);
  return {
    end: () => {
      isOver = true;
      for (const timer of timers) clearTimeout(timer);
      hog.kill("SIGSTOP");
      for (const agent of agents) agent.kill("SIGCONT");
      return phases;
    },
  };
}

/** Small and well known; the seed is printed. */
function mulberry32(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
