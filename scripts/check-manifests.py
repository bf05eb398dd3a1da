"""What no schema sees in a file of manifests: that its parts fit each other, and that every pod is restricted.

    check-manifests.py FILE      prints what does not hold, and exits 1
"""

import sys

import yaml

problems = []


def expect(holds, what):
    if not holds:
        problems.append(what)


def selects(selector, labels):
    """Whether a label selector (matchLabels and matchExpressions with In) takes these labels."""
    if any(labels.get(key) != value for key, value in selector.get("matchLabels", {}).items()):
        return False
    return all(labels.get(one["key"]) in one["values"] for one in selector.get("matchExpressions", []))


def check_container(name, pod, container):
    security = container.get("securityContext", {})
    expect(security.get("allowPrivilegeEscalation") is False, f"{name}: may escalate its privileges")
    expect(security.get("readOnlyRootFilesystem") is True, f"{name}: its root is writable")
    expect(security.get("capabilities", {}).get("drop") == ["ALL"], f"{name}: keeps capabilities")
    resources = container.get("resources", {})
    # Requests that are not said are the limits.
    limits = resources.get("limits")
    expect(resources.get("requests", limits) == limits is not None, f"{name}: requests are not the limits")
    cpu = str(resources.get("limits", {}).get("cpu", ""))
    expect(cpu.isdigit(), f"{name}: {cpu or 'no'} CPUs: a part of one is stopped by its quota")
    volumes = {one["name"] for one in pod.get("volumes", [])} | set(pod["claims"])
    for mount in container.get("volumeMounts", []):
        expect(mount["name"] in volumes, f"{name}: mounts {mount['name']}, which no volume is")
    # Its age says whether NATS is there: whoever is killed for that loses a run, and finds no NATS after it either.
    liveness = str(container.get("livenessProbe", ""))
    expect("HEALTH_FILE" not in liveness, f"{name}: would be killed while NATS is away")
    ports = {one["name"] for one in container.get("ports", [])}
    pod["ports"] |= ports


def check_workload(document):
    spec = document["spec"]
    template = spec["template"]
    name = f"{document['kind']} {document['metadata']['name']}"
    labels = template["metadata"]["labels"]
    expect(selects(spec["selector"], labels), f"{name}: does not select its own pods")
    pod = template["spec"] | {"labels": labels, "name": name, "ports": set()}
    pod["claims"] = [claim["metadata"]["name"] for claim in spec.get("volumeClaimTemplates", [])]
    security = pod.get("securityContext", {})
    expect(security.get("runAsNonRoot") is True, f"{name}: may run as root")
    expect(security.get("seccompProfile", {}).get("type") == "RuntimeDefault", f"{name}: no seccomp profile")
    expect(pod.get("automountServiceAccountToken") is False, f"{name}: gets a token for the cluster's API")
    for container in pod["containers"]:
        check_container(name, pod, container)
    return pod


def main(path):
    with open(path, encoding="utf-8") as file:
        documents = [one for one in yaml.safe_load_all(file) if one]
    kinds = {}
    for one in documents:
        kinds.setdefault(one["kind"], []).append(one)
    expect("Secret" not in kinds, "a Secret stands in the file: its example password would come to be used")
    pods = [check_workload(one) for kind in ("Deployment", "StatefulSet") for one in kinds.get(kind, [])]
    expect(pods, "no pods")
    # A file without one is applied to whichever kubectl is set to.
    namespace = kinds.get("Namespace", [{"metadata": {"name": None}}])[0]["metadata"]["name"]
    for one in documents:
        if one["kind"] != "Namespace":
            expect(one["metadata"].get("namespace") == namespace, f"{one['metadata']['name']}: not in the namespace {namespace}")
    for service in kinds.get("Service", []):
        name, selector = service["metadata"]["name"], {"matchLabels": service["spec"]["selector"]}
        behind = [pod for pod in pods if selects(selector, pod["labels"])]
        expect(behind, f"Service {name}: no pod is behind it")
        for port in service["spec"]["ports"]:
            expect(all(port["targetPort"] in pod["ports"] for pod in behind), f"Service {name}: no port {port['targetPort']}")
    for policy in kinds.get("NetworkPolicy", []):
        name = policy["metadata"]["name"]
        rules = policy["spec"].get("ingress", []) + policy["spec"].get("egress", [])
        peers = [peer for rule in rules for peer in rule.get("from", []) + rule.get("to", [])]
        ours = [policy["spec"]["podSelector"]] + [p["podSelector"] for p in peers if "namespaceSelector" not in p]
        for selector in ours:
            expect(any(selects(selector, pod["labels"]) for pod in pods), f"NetworkPolicy {name}: {selector} is no pod")
    config_maps = {one["metadata"]["name"] for one in kinds.get("ConfigMap", [])}
    for pod in pods:
        for volume in pod.get("volumes", []):
            wanted = volume.get("configMap", {}).get("name")
            expect(wanted is None or wanted in config_maps, f"{pod['name']}: no ConfigMap {wanted}")
    for problem in problems:
        print(f"error: {path}: {problem}", file=sys.stderr)
    if not problems:
        print(f"{path}: {len(documents)} objects fit each other, and {len(pods)} kinds of pods are restricted")
    return 1 if problems else 0


sys.exit(main(sys.argv[1]))
