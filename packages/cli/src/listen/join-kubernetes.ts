/** What pods need to join as agents. */
export interface KubernetesJoining {
  /** With the agent's password. */
  readonly url: string;
  readonly image: string;
  /** Of the image: `agent` and its flags. */
  readonly args: readonly string[];
  /** The authority of the server's certificate is `ca.pem` where the lines are pasted. */
  readonly hasCa: boolean;
}

const NAME = "tokenstorm-agent";
const CA_FOLDER = "/etc/tokenstorm";

/**
 * Lines that make a secret and a deployment of agents, in the namespace that kubectl is set to. The password goes in by
 * standard input, which stands in no list of processes. The end of a here-document takes no indentation, so none has any.
 */
export function kubernetesLines(joining: KubernetesJoining): string[] {
  const ca = joining.hasCa ? " --from-file=ca.pem" : "";
  return [
    `printf %s '${joining.url}' | kubectl create secret generic ${NAME} --from-file=NATS_URL=/dev/stdin${ca}`,
    "kubectl apply -f - <<'END'",
    agentDeployment(joining),
    "END",
  ];
}

/**
 * A process to a pod, with whole CPUs. scripts/check-manifests.sh holds it against the schemas; docker/kubernetes.yaml
 * says more of why.
 */
function agentDeployment({ image, args, hasCa }: Omit<KubernetesJoining, "url">): string {
  const from = `valueFrom: { secretKeyRef: { name: ${NAME}, key: NATS_URL } }`;
  const ca = {
    env: `\n            - { name: NATS_CA, value: ${CA_FOLDER}/ca.pem }`,
    mount: `\n            - { name: ca, mountPath: ${CA_FOLDER}, readOnly: true }`,
    volume: `\n        - { name: ca, secret: { secretName: ${NAME}, items: [{ key: ca.pem, path: ca.pem }] } }`,
  };
  const withCa = (part: keyof typeof ca) => (hasCa ? ca[part] : "");
  return `apiVersion: apps/v1
kind: Deployment
metadata: { name: ${NAME} }
spec:
  replicas: 4
  strategy: { type: Recreate }
  selector: { matchLabels: { app: ${NAME} } }
  template:
    metadata: { labels: { app: ${NAME} } }
    spec:
      automountServiceAccountToken: false
      terminationGracePeriodSeconds: 90
      securityContext: { runAsNonRoot: true, seccompProfile: { type: RuntimeDefault } }
      containers:
        - name: agent
          image: ${image}
          args: [${[...args, "--processes=1"].map((word) => JSON.stringify(word)).join(", ")}]
          env:
            - { name: NATS_URL, ${from} }${withCa("env")}
          resources: { limits: { cpu: "2", memory: 2Gi } }
          securityContext: { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: [ALL] } }
          volumeMounts:
            - { name: runs, mountPath: /runs }${withCa("mount")}
      volumes:
        - { name: runs, emptyDir: {} }${withCa("volume")}`;
}
