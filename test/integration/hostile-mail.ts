import { headers, type NatsConnection, type Subscription } from "@nats-io/transport-node";
import { MAX_MESSAGE_BYTES, type Subjects, subjects } from "@tokenstorm/protocol";
import type { Random } from "@tokenstorm/testkit";
import { Packr, Unpackr } from "msgpackr";

/** What is wrong with a message. */
export const HARMS = [
  "malformed",
  "truncated",
  "oversized",
  "empty",
  "replayed",
  "wrong-version",
  "wrong-type",
  "wrong-sender",
] as const;
export type Harm = (typeof HARMS)[number];

/** Marks what the test itself says, so that its ear takes none of it for genuine. */
const MARK = "hostile";
const KEPT_PER_SUBJECT = 50;
const OVERSIZED_SHARE = 0.2;
const packr = new Packr({ useRecords: false });
const unpackr = new Unpackr({ useRecords: false });

/**
 * The subjects by which each entry of `Subjects` is attacked: a new entry does not compile until it says so here. Of an
 * entry that is a pattern they are those that it matches.
 */
export const ATTACKED: Readonly<
  Record<Exclude<keyof Subjects, "prefix">, (names: Subjects, run: string) => readonly string[]>
> = {
  beacon: (names) => [names.beacon],
  hint: (names) => [names.hint],
  heartbeat: (names) => AGENTS.map((agent) => names.heartbeat(agent)),
  heartbeats: (names) => AGENTS.map((agent) => names.heartbeat(agent)),
  clock: (names) => AGENTS.map((agent) => names.clock(agent)),
  clockAnswer: (names) => AGENTS.map((agent) => names.clockAnswer(agent)),
  live: (names, run) => [names.live(run)],
  allLive: (names, run) => [names.live(run), names.live("zz")],
  result: resultSubjects,
  results: (names, run) => [...resultSubjects(names, run), `${names.result(run, "a1", "snapshot")}.more`],
  resultsOf: (names, run) => resultSubjects(names, run),
};

/** Three that are in the run, and one that nobody knows. */
const AGENTS = ["a1", "a2", "a3", "a9"];

function resultSubjects(names: Subjects, run: string): string[] {
  const agents = [...AGENTS, "_leader"];
  return agents.flatMap((agent) =>
    ["snapshot", "final", "event", "other"].map((kind) => names.result(run, agent, kind)),
  );
}

/** Hears all that is said, and says what is wrong in every way. */
export class HostileMail {
  readonly #connection: NatsConnection;
  readonly #random: Random;
  readonly #heard = new Map<string, Uint8Array[]>();
  readonly #ear: Subscription;
  readonly sent = new Map<Harm, number>();

  constructor(connection: NatsConnection, random: Random) {
    this.#connection = connection;
    this.#random = random;
    this.#ear = connection.subscribe(`${subjects().prefix}.v1.>`, {
      callback: (error, { subject, data, headers: marks }) => {
        if (error !== null || marks?.has(MARK) === true) return;
        const heard = this.#heard.get(subject) ?? [];
        heard.push(Uint8Array.from(data));
        if (heard.length > KEPT_PER_SUBJECT) heard.splice(this.#random.int(0, heard.length - 1), 1);
        this.#heard.set(subject, heard);
      },
    });
  }

  /** Subjects on which something genuine was said. */
  get heard(): readonly string[] {
    return [...this.#heard.keys()];
  }

  /** One message on each subject, each wrong in a way of its own. */
  shout(targets: readonly string[]): void {
    for (const subject of targets) {
      const harm = this.#random.pick(HARMS);
      // A megabyte each: they would be most of the time.
      if (harm !== "oversized" || this.#random.bool(OVERSIZED_SHARE)) this.say(subject, harm);
    }
  }

  say(subject: string, harm: Harm): void {
    const data = this.spoil(harm, this.#heard.get(subject) ?? [], this.#others(subject));
    if (data === undefined) return;
    const marks = headers();
    marks.append(MARK, harm);
    this.#connection.publish(subject, data, { headers: marks });
    this.sent.set(harm, (this.sent.get(harm) ?? 0) + 1);
  }

  close(): void {
    this.#ear.unsubscribe();
  }

  /** Genuine, but from other subjects of the same form: what another agent, or another run, said. */
  #others(subject: string): Uint8Array[] {
    const [form, last] = formOf(subject);
    return [...this.#heard].flatMap(([other, said]) => {
      const [otherForm, otherLast] = formOf(other);
      return other !== subject && form === otherForm && (form !== "res" || last === otherLast) ? said : [];
    });
  }

  /** Undefined where there is nothing genuine yet that could be spoilt so. */
  spoil(harm: Harm, own: readonly Uint8Array[], others: readonly Uint8Array[]): Uint8Array | undefined {
    const random = this.#random;
    const genuine = own.length === 0 ? undefined : random.pick(own);
    switch (harm) {
      case "malformed":
        return random.bytes(random.int(1, 300));
      case "empty":
        return new Uint8Array(0);
      case "oversized":
        // As much as a server takes, headers included: first bytes of an array of arrays, and zeros.
        return new Uint8Array(MAX_MESSAGE_BYTES - 1024).fill(random.pick([0x93, 0, 0xdd]));
      case "replayed":
        return genuine;
      case "truncated":
        return genuine && genuine.length > 1
          ? genuine.slice(0, random.int(1, genuine.length - 1))
          : undefined;
      case "wrong-version":
        return genuine && changed(genuine, { v: random.pick([0, 2, 99, -1, "1", 1.5]) });
      case "wrong-type":
        return genuine && changed(genuine, { type: random.pick(["beacon", "final", "run", "", 7]) });
      case "wrong-sender":
        return others.length > 0 ? random.pick(others) : genuine && usurped(genuine);
    }
  }
}

/** Second part of a subject and the last. */
function formOf(subject: string): [string, string] {
  const parts = subject.split(".");
  return [parts[2] ?? "", parts.at(-1) ?? ""];
}

function changed(genuine: Uint8Array, change: Readonly<Record<string, unknown>>): Uint8Array | undefined {
  const message = unpacked(genuine);
  if (message === undefined || change["type"] === message["type"]) return undefined;
  return Uint8Array.from(packr.pack({ ...message, ...change }));
}

/** A genuine beacon in the name of one who never led, under a higher term, that cuts the run. */
function usurped(genuine: Uint8Array): Uint8Array | undefined {
  const message = unpacked(genuine);
  if (message === undefined || message["type"] !== "beacon" || !isObject(message["body"])) return undefined;
  const term = Number(message["body"]["term"]) + 5;
  const body = { ...message["body"], term, leader: "c9", leaderInstance: "c9-1", seq: 1, stop: "cut" };
  return Uint8Array.from(packr.pack({ ...message, body }));
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}

/** Hints are empty. */
function unpacked(genuine: Uint8Array): Readonly<Record<string, unknown>> | undefined {
  if (genuine.length === 0) return undefined;
  const message: unknown = unpackr.unpack(genuine);
  return isObject(message) ? message : undefined;
}
