import { checkedId, subjects } from "../subjects.js";
import { storeNames } from "./stores.js";

/**
 * What a process is to NATS. Only a coordinator prepares the stream and the buckets; the others wait for them. A viewer
 * may be allowed nothing but the live subjects.
 */
export type NatsRole = "coordinator" | "agent" | "operator" | "viewer";

/**
 * What a user of NATS may do: lists of subjects, as the server's configuration and a user's JWT have them. Nobody may
 * answer whatever it hears (`allow_responses`): who may also ask itself could then publish to any subject.
 */
export interface RolePermissions {
  readonly publish: readonly string[];
  readonly subscribe: readonly string[];
}

export interface RoleOptions {
  /** The subject prefix of the cluster. */
  readonly prefix?: string | undefined;
  /** Pins an agent's user to one agent: it can speak as no other. Without it the role is shared by all agents. */
  readonly agent?: string | undefined;
  /** Where this user's answers arrive; see `inboxOf`. */
  readonly inbox?: string | undefined;
}

/**
 * First token of the subjects on which a role gets its answers. Roles have inboxes of their own, so that nobody can read
 * what another one was told: NATS shows an inbox to everyone who may subscribe to it.
 */
export function inboxOf(role: NatsRole): string {
  return `_INBOX_${role}`;
}

/**
 * The least that a role can do its work with. An agent says its own heartbeats and results, reads plans, and can neither
 * command nor read what others measured. A viewer hears the beacon and the merged live messages, and can ask nothing, so
 * it has no inbox either. An operator submits and stops runs and reads reports; only a coordinator may lead. Throws
 * PLAN_INVALID for a prefix, PROTOCOL_MALFORMED for an agent that is no name.
 */
export function rolePermissions(role: NatsRole, options: RoleOptions = {}): RolePermissions {
  const names = subjects(options.prefix);
  const { state, results, blobs, dataSets } = storeNames(names.prefix);
  const answers = `${options.inbox ?? inboxOf(role)}.>`;
  switch (role) {
    case "viewer":
      return { publish: [], subscribe: [names.beacon, names.allLive] };
    case "agent": {
      const agent = options.agent === undefined ? "*" : checkedId(options.agent);
      return {
        publish: [
          `${names.prefix}.v1.hb.${agent}`,
          `${names.prefix}.v1.res.*.${agent}.*`,
          `${names.prefix}.v1.timed.${agent}`,
          // Asks whether another process answers under its name already.
          `${names.prefix}.v1.time.${agent}`,
          ...reading(`KV_${state}`),
          ...reading(`OBJ_${dataSets}`),
          ...consuming(`OBJ_${dataSets}`),
        ],
        subscribe: [
          names.beacon,
          `${names.prefix}.v1.time.${agent}`,
          `${names.prefix}.v1.timed.${agent}`,
          answers,
        ],
      };
    }
    case "operator":
      return {
        publish: [
          names.hint,
          `${names.prefix}.v1.time.*`,
          `$KV.${state}.run.*`,
          ...reading(`KV_${state}`),
          ...reading(`OBJ_${blobs}`),
          ...consuming(`OBJ_${blobs}`),
          ...reading(`OBJ_${dataSets}`),
          ...consuming(`OBJ_${dataSets}`),
          // Puts the files of its plans, an old one anew.
          `$O.${dataSets}.>`,
          `$JS.API.STREAM.PURGE.OBJ_${dataSets}`,
        ],
        // `tail` asks as a viewer does, and an operator may use it.
        subscribe: [
          names.beacon,
          names.allLive,
          names.heartbeats,
          `${names.prefix}.v1.timed.*`,
          answers,
          `${inboxOf("viewer")}.>`,
        ],
      };
    case "coordinator":
      return {
        publish: [
          `${names.prefix}.v1.>`,
          `$KV.${state}.>`,
          `$O.${blobs}.>`,
          `$O.${dataSets}.>`,
          ...[results, `KV_${state}`, `OBJ_${blobs}`, `OBJ_${dataSets}`].flatMap(owning),
        ],
        // Whoever holds this user may do everything else too.
        subscribe: [
          `${names.prefix}.v1.>`,
          answers,
          ...["agent", "operator", "viewer"].map((one) => `_INBOX_${one}.>`),
        ],
      };
  }
}

/** Looking at a stream, and at its messages by key or number. */
function reading(stream: string): string[] {
  return [`$JS.API.STREAM.INFO.${stream}`, `$JS.API.STREAM.MSG.GET.${stream}`];
}

/** Reading a stream in order, through a consumer of one's own. */
function consuming(stream: string): string[] {
  return [`$JS.API.CONSUMER.CREATE.${stream}.>`, `$JS.API.CONSUMER.DELETE.${stream}.>`, `$JS.FC.${stream}.>`];
}

/** Everything about one stream, and nothing about others on the same server. */
function owning(stream: string): string[] {
  return [
    `$JS.API.STREAM.*.${stream}`,
    `$JS.API.STREAM.MSG.*.${stream}`,
    `$JS.API.DIRECT.GET.${stream}`,
    `$JS.API.DIRECT.GET.${stream}.>`,
    `$JS.API.CONSUMER.*.${stream}`,
    `$JS.API.CONSUMER.*.${stream}.>`,
    `$JS.API.CONSUMER.MSG.NEXT.${stream}.>`,
    `$JS.ACK.${stream}.>`,
    `$JS.FC.${stream}.>`,
  ];
}
