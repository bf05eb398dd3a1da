import type { Cancel, Clock } from "@tokenstorm/core";

/** Longest wait that `setTimeout` takes; longer ones are waited for in parts. */
const LONGEST_TIMEOUT_MS = 2 ** 31 - 1;

/**
 * Share of the time that may be spent in turning the event loop for the last part of a millisecond, and the most that
 * may be saved up for it. Without this bound a few hundred calls a second would look like a busy process.
 */
const SPIN_SHARE = 0.03;
const SPIN_SAVED_US = 20_000;
/** The part of a wait that a timer of whole milliseconds cannot do. */
const SPIN_LONGEST_US = 1500;

/**
 * The machine's own time. `nowUs` is the kernel's monotonic clock, so that stamps of several processes of one host
 * can be compared. `at` never calls early; it is late by less than 0.1 ms while calls are sparse, by up to about 1 ms
 * when there are more than some tens a second, and by whatever the event loop is late.
 */
export function systemClock(): Clock {
  const budget = createSpinBudget();
  return {
    nowUs,
    wallMs: () => Date.now(),
    at: (us, fn) => callAt(us, fn, budget),
  };
}

function nowUs(): number {
  return Number(process.hrtime.bigint() / 1000n);
}

function callAt(dueUs: number, fn: () => void, budget: SpinBudget): Cancel {
  let timer: NodeJS.Timeout | undefined;
  let immediate: NodeJS.Immediate | undefined;
  let spinFromUs: number | undefined;
  const wait = () => {
    const now = nowUs();
    if (spinFromUs !== undefined) {
      budget.spend(now - spinFromUs);
      spinFromUs = undefined;
    }
    const leftUs = dueUs - now;
    if (leftUs <= 0) fn();
    else if (leftUs <= SPIN_LONGEST_US && budget.has(leftUs, now)) {
      spinFromUs = now;
      immediate = setImmediate(wait);
    } else {
      const exactMs = leftUs / 1000;
      // Node's timers have whole milliseconds: with a spin to follow it may wake too early, else rather too late.
      const ms = budget.has(SPIN_LONGEST_US, now) && exactMs > 1 ? Math.floor(exactMs) : Math.ceil(exactMs);
      timer = setTimeout(wait, Math.min(ms, LONGEST_TIMEOUT_MS));
    }
  };
  if (dueUs <= nowUs()) immediate = setImmediate(fn);
  else wait();
  return () => {
    clearTimeout(timer);
    clearImmediate(immediate);
  };
}

interface SpinBudget {
  has(us: number, nowUs: number): boolean;
  spend(us: number): void;
}

/** Fills at SPIN_SHARE of the time that passes. */
function createSpinBudget(): SpinBudget {
  let savedUs = SPIN_SAVED_US;
  let filledAtUs = nowUs();
  return {
    has: (us, now) => {
      savedUs = Math.min(SPIN_SAVED_US, savedUs + (now - filledAtUs) * SPIN_SHARE);
      filledAtUs = now;
      return savedUs >= us;
    },
    spend: (us) => {
      savedUs -= us;
    },
  };
}
