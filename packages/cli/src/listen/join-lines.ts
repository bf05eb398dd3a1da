import type { NatsRole } from "@tokenstorm/protocol/nats";
import type { ClusterPasswords } from "./cluster-passwords.js";
import { kubernetesLines } from "./join-kubernetes.js";
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
 * The lines that a person pastes on other hosts. Passwords stand in the environment or go in by standard input, where
 * other users of a host do not see them, never on a program's command line.
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
    `the same in a container (scripts/image.sh makes its image; docker save ${imageOf(joining)} | ssh HOST docker load):`,
    dockerLine(joining),
    "",
    "hand in a plan, from anywhere:",
    run("operator", "submit plan.yaml --wait"),
    "",
    "watch, from anywhere:",
    run("viewer", "tail --wait"),
    "",
    "agents on Kubernetes, whose nodes need the image too (never tried on a cluster):",
    ...podLines(joining),
  ].join("\n");
}

function assignments(joining: Joining, role: NatsRole): string {
  const ca = joining.caFile === null ? "" : " NATS_CA=ca.pem";
  return `NATS_URL='${joinUrl(joining, role)}'${ca}`;
}

const imageOf = ({ version }: Joining): string => `tokenstorm:${version}`;
const agentWords = ({ prefix }: Joining): string => `agent --wait${prefixFlag(prefix)}`;

/** docker takes the value from its own environment. */
function dockerLine(joining: Joining): string {
  const url = joinUrl(joining, "agent");
  const trust = joining.caFile === null ? "" : ' -e NATS_CA=/ca.pem -v "$PWD/ca.pem:/ca.pem:ro"';
  const flags = `--network host --read-only --stop-timeout 90 -e NATS_URL${trust}`;
  return `  NATS_URL='${url}' docker run -d ${flags} ${imageOf(joining)} ${agentWords(joining)}`;
}

function podLines(joining: Joining): string[] {
  return kubernetesLines({
    url: joinUrl(joining, "agent"),
    image: imageOf(joining),
    args: agentWords(joining).split(" "),
    hasCa: joining.caFile !== null,
  });
}

function prefixFlag(prefix: string | undefined): string {
  return prefix === undefined ? "" : ` --subject-prefix ${prefix}`;
}
