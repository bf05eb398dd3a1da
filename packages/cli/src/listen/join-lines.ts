import type { NatsRole } from "@tokenstorm/protocol/nats";
import type { ClusterPasswords } from "./cluster-passwords.js";
import { urlHost } from "./local-addresses.js";

/** What others must know to join. */
export interface Joining {
  /** Host name or address under which others reach the server. */
  readonly host: string;
  readonly port: number;
  readonly passwords: ClusterPasswords;
  /** Authority of the server's certificate; null without TLS. */
  readonly caFile: string | null;
  /** Undefined for the default. */
  readonly prefix: string | undefined;
  readonly version: string;
}

/** `nats://agent:password@10.0.0.5:4222`. */
export function joinUrl({ host, port, passwords, caFile }: Joining, role: NatsRole): string {
  const scheme = caFile === null ? "nats" : "tls";
  return `${scheme}://${role}:${passwords[role]}@${urlHost(host)}:${port}`;
}

/**
 * The lines that a person pastes on other hosts. Passwords stand in the environment, where other users of a host do not
 * see them, never on a command line.
 */
export function joinLines(joining: Joining): string {
  const { caFile, prefix } = joining;
  const run = (role: NatsRole, words: string) =>
    `  ${assignments(joining, role)} node tokenstorm.mjs ${words}${prefixFlag(prefix)}`;
  return [
    "Every other host needs Node 20.18 or newer and one file: scripts/bundle.sh makes dist/tokenstorm.mjs",
    ...(caFile === null ? [] : [`and, for TLS, ${caFile} beside it as ca.pem`]),
    "",
    "agents, one line on each host:",
    run("agent", "agent"),
    "",
    "the same in a container, or on Kubernetes:",
    ...containerLines(joining),
    "",
    "hand in a plan, from anywhere:",
    run("operator", "submit plan.yaml --wait"),
    "",
    "watch, from anywhere:",
    run("viewer", "tail --wait"),
  ].join("\n");
}

function assignments(joining: Joining, role: NatsRole): string {
  const ca = joining.caFile === null ? "" : " NATS_CA=ca.pem";
  return `NATS_URL='${joinUrl(joining, role)}'${ca}`;
}

function containerLines(joining: Joining): string[] {
  const { caFile, prefix, version } = joining;
  const url = joinUrl(joining, "agent");
  const image = `tokenstorm:${version}`;
  const words = `agent --wait${prefixFlag(prefix)}`;
  const trust = caFile === null ? "" : ' -e NATS_CA=/ca.pem -v "$PWD/ca.pem:/ca.pem:ro"';
  const limits = "--network host --read-only --stop-timeout 90";
  const docker = `  docker run -d ${limits} -e NATS_URL='${url}'${trust} ${image} ${words}`;
  if (caFile !== null) return [docker, "  (on Kubernetes the certificate is a volume: docs/deploy.md)"];
  return [
    docker,
    `  kubectl create secret generic tokenstorm-agent --from-literal=NATS_URL='${url}'`,
    `  kubectl create deployment tokenstorm-agent --image=${image} --replicas=4 -- node /opt/tokenstorm/tokenstorm.mjs ${words}`,
    "  kubectl set env deployment/tokenstorm-agent --from=secret/tokenstorm-agent",
  ];
}

function prefixFlag(prefix: string | undefined): string {
  return prefix === undefined ? "" : ` --subject-prefix ${prefix}`;
}
