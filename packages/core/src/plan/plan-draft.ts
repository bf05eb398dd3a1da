/** A plan on its way: made from a file and flags, checked by `requirePlan` only when it is complete. */
export type PlanDraft = Record<string, unknown>;

export type DraftPath = readonly (string | number)[];

export function isRecord(value: unknown): value is PlanDraft {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A copy of plain data, so that nobody else's plan is changed. */
export function copied(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(copied);
  return isRecord(value) ? copiedRecord(value) : value;
}

export function copiedRecord(record: PlanDraft): PlanDraft {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, copied(value)]));
}

/** `load.stages[0].users` as steps; undefined when it is no path. */
export function parsePath(text: string): DraftPath | undefined {
  const steps: (string | number)[] = [];
  for (const part of text.split(".")) {
    const match = /^([A-Za-z_$][\w$-]*)((?:\[\d{1,6}\])*)$/.exec(part);
    if (match === null || match[1] === undefined) return undefined;
    steps.push(match[1]);
    for (const index of match[2]?.matchAll(/\d+/g) ?? []) steps.push(Number(index[0]));
  }
  return steps.some((step) => step === "__proto__") ? undefined : steps;
}

/** Puts a value at a path, making what leads there. False where an index lies past the end of its list. */
export function setAt(draft: PlanDraft, path: DraftPath, value: unknown): boolean {
  const [step, ...rest] = path;
  if (step === undefined || typeof step === "number") return false;
  if (rest.length === 0) {
    draft[step] = value;
    return true;
  }
  if (typeof rest[0] !== "number") return setAt(recordAt(draft, step), rest, value);
  const list: unknown[] = Array.isArray(draft[step]) ? draft[step] : [];
  draft[step] = list;
  return setInList(list, rest, value);
}

function setInList(list: unknown[], path: DraftPath, value: unknown): boolean {
  const [index, ...rest] = path;
  if (typeof index !== "number" || index > list.length) return false;
  if (rest.length === 0) {
    list[index] = value;
    return true;
  }
  const entry = list[index];
  const record = isRecord(entry) ? entry : {};
  list[index] = record;
  return setAt(record, rest, value);
}

/** The object at a key, made where there is none. */
export function recordAt(draft: PlanDraft, key: string): PlanDraft {
  const there = Object.hasOwn(draft, key) ? draft[key] : undefined;
  if (isRecord(there)) return there;
  const made: PlanDraft = {};
  draft[key] = made;
  return made;
}
