/** Where a fact comes from: the target or host was asked, a person stated it, or nobody has said. */
export type FactKind = "seen" | "stated" | "unknown";

export type Fact<Value> =
  | {
      readonly kind: "seen" | "stated";
      readonly value: Value;
      /** Which answer, command line or file it stands in. */
      readonly from: string;
    }
  | {
      readonly kind: "unknown";
      /** Why it is not known. */
      readonly why: string;
    };

/** A fact that an answer rests on, as reports show it. */
export interface UsedFact {
  readonly name: string;
  readonly kind: FactKind;
  /** Null where it is unknown, or known to be unset. */
  readonly value: string | null;
  /** Where it comes from; of an unknown one, why it is not known. */
  readonly from: string;
}

export function unknown(why: string): Fact<never> {
  return { kind: "unknown", why };
}

export function stated<Value>(value: Value, from: string): Fact<Value> {
  return { kind: "stated", value, from };
}

export function seen<Value>(value: Value, from: string): Fact<Value> {
  return { kind: "seen", value, from };
}

/** Null is what is known to be unset. */
export function usedFact(name: string, fact: Fact<string | number | boolean | null>): UsedFact {
  if (fact.kind === "unknown") return { name, kind: "unknown", value: null, from: fact.why };
  return { name, kind: fact.kind, value: fact.value === null ? null : String(fact.value), from: fact.from };
}

/** Two accounts of one thing: what was seen goes before what was stated. */
export function preferSeen<Value>(a: Fact<Value>, b: Fact<Value>): Fact<Value> {
  if (a.kind === "seen") return a;
  if (b.kind === "seen") return b;
  return a.kind === "stated" ? a : b;
}
