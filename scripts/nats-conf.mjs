// docker/nats.conf as text, from the permissions that the code itself gives each role.
import { rolePermissions } from "../packages/protocol/dist/nats/index.js";

const ROLES = ["coordinator", "agent", "operator", "viewer"];

const HEAD = `# NATS for tokenstorm: JetStream, and a user for each role with what the role needs and no more.
# Made by scripts/generate-docs.mjs from packages/protocol/src/nats/roles.ts: do not edit the permissions here.
#
# Passwords come from the environment. NATS reads a variable as its own language, so make them of letters and digits, the
# first one a letter; without one of them the server does not start.
#
#   TOKENSTORM_COORDINATOR_PASSWORD=... (the others too) nats-server -c docker/nats.conf
#
# Nothing travels encrypted until there is a tls block. Across networks that you do not own add one, and name it to
# the clients with --nats-tlsca (NATS_CA):
#   tls { cert_file: "/etc/nats/tls.crt", key_file: "/etc/nats/tls.key" }
server_name: tokenstorm
listen: "0.0.0.0:4222"
# Health and figures of the server: for this host or pod alone.
http: "127.0.0.1:8222"
# A message of tokenstorm is at most 1 MiB.
max_payload: 1MB
max_connections: 4096

jetstream {
  store_dir: "/data"
  # All streams of tokenstorm are in files: a gigabyte of results that no coordinator has taken yet, states, reports.
  max_memory_store: 64MB
  max_file_store: 4GB
}
`;

const TEMPLATE_NOTE = `    # One identity for each agent: take the #| off this block, copy it for every agent, and change a1 in all its lines.
    # Such a user can speak as no other agent, nor hear what another one is told. Start the agent as
    #   NATS_USER=agent-a1 NATS_PASSWORD=... tokenstorm agent --id a1 --processes 1 --nats-inbox _INBOX_agent-a1
    # (several processes on one host are several agents, with a user and an id for each), and take the user "agent" out.
`;

/** Permissions as the server reads them. An empty list is written as a denial, so that nobody takes it for "all". */
function permissions({ publish, subscribe }, indent) {
  const list = (name, subjects) =>
    subjects.length === 0
      ? [`${name}: { deny: ">" }`]
      : [`${name}: [`, ...subjects.map((subject) => `  ${JSON.stringify(subject)}`), "]"];
  const lines = [...list("publish", publish), ...list("subscribe", subscribe)];
  return ["permissions: {", ...lines.map((line) => `  ${line}`), "}"].map((line) => indent + line).join("\n");
}

function userBlock(name, variable, granted, indent) {
  return [
    `${indent}{`,
    `${indent}  user: ${JSON.stringify(name)}`,
    `${indent}  password: $${variable}`,
    permissions(granted, `${indent}  `),
    `${indent}}`,
  ].join("\n");
}

export function natsConf() {
  const users = ROLES.map((role) =>
    userBlock(role, `TOKENSTORM_${role.toUpperCase()}_PASSWORD`, rolePermissions(role), "    "),
  );
  const pinned = userBlock(
    "agent-a1",
    "TOKENSTORM_AGENT_A1_PASSWORD",
    rolePermissions("agent", { agent: "a1", inbox: "_INBOX_agent-a1" }),
    "",
  );
  const template = pinned.replace(/^/gm, "    #| ");
  return `${HEAD}\nauthorization {\n  users: [\n${users.join("\n")}\n\n${TEMPLATE_NOTE}${template}\n  ]\n}\n`;
}

/** The configuration as a ConfigMap, for the marked place in docker/kubernetes.yaml. */
export function natsConfigMap() {
  const text = natsConf().replace(/^(?=.)/gm, "    ");
  return `apiVersion: v1
kind: ConfigMap
metadata:
  name: nats-config
  namespace: tokenstorm
  labels: { app.kubernetes.io/name: nats, app.kubernetes.io/part-of: tokenstorm }
data:
  nats.conf: |
${text}`;
}
