import { CHECK_LIMITS, type HostCheck, isVersionAtLeast, judgeAgents, LoadError } from "@tokenstorm/core";
import type { PresentAgent } from "@tokenstorm/protocol";
import { withCluster } from "../cluster.js";
import type { NatsAccess } from "../nats-options.js";
import { VERSION } from "../packaging.js";

/** Connects as an operator and looks at NATS, the coordinator and every agent that answers. Never throws a LoadError. */
export async function lookAtCluster(access: NatsAccess, inFlight: number): Promise<HostCheck[]> {
  try {
    return await withCluster(access, "operator", async ({ transport, operations }) => {
      const [agents, leader] = await Promise.all([operations.agents(), operations.leader()]);
      return [
        natsCheck(transport.server?.version ?? ""),
        leader === undefined
          ? coordinatorCheck(
              "warning",
              "no coordinator answers: tokenstorm coordinator --nats URL starts one",
            )
          : coordinatorCheck("fine", `${leader.leader} leads`),
        ...(agents.length === 0
          ? [{ ...coordinatorCheck("warning", "no agent answers"), id: "agents" }]
          : judgeAgents(agents.map(factsOf), { version: VERSION, inFlight })),
      ];
    });
  } catch (error) {
    if (!(error instanceof LoadError)) throw error;
    return [{ id: "nats-server", where: "NATS", outcome: "error", sentence: error.message }];
  }
}

function natsCheck(version: string): HostCheck {
  const least = CHECK_LIMITS.leastNats.join(".");
  const isEnough = isVersionAtLeast(version, CHECK_LIMITS.leastNats);
  return {
    id: "nats-server",
    where: "NATS",
    outcome: isEnough ? "fine" : "error",
    sentence: `nats-server ${version} answers; ${least} or newer is needed`,
  };
}

function coordinatorCheck(outcome: HostCheck["outcome"], sentence: string): HostCheck {
  return { id: "coordinator", where: "NATS", outcome, sentence };
}

function factsOf(agent: PresentAgent) {
  return {
    agent: agent.agent,
    host: agent.host,
    version: agent.version,
    clockErrorUs: agent.clockErrorUs,
    descriptorLimit: agent.vitals?.descriptorLimit ?? null,
    localPorts: agent.vitals?.localPorts?.range ?? null,
    isCalibrated: agent.capacity !== undefined,
  };
}
