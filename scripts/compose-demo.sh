#!/usr/bin/env bash
# Brings docker/compose.yaml up with whichever compose there is, as a project of its own: NATS, a coordinator, eight agents
# and the simulator, each in its container. Submits plans/compose-demo.yaml (1,000 users) with --wait, checks the report,
# takes everything down, and looks that nothing is left.
#   ./scripts/compose-demo.sh [REPORT.json]        TOKENSTORM_IMAGE names an image to take as it is
# Exits 3 with one line SKIPPED where there is no engine, compose or image; with REQUIRE_DOCKER=1 that is a failure.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

agents=8
ready_limit_s=90
run_limit_s=240

say() { printf '%s\n' "$*" >&2; }

cannot() {
  [ "${REQUIRE_DOCKER:-0}" != 1 ] || { say "error: $1, and REQUIRE_DOCKER=1 wants it"; exit 1; }
  printf 'SKIPPED: docker/compose.yaml was not tried: %s\n' "$1"
  exit 3
}

command -v docker >/dev/null || cannot "no docker is in PATH"
timeout 10 docker version --format '{{.Server.Version}}' >/dev/null 2>&1 || cannot "no docker engine answers"
compose_bin=$(./scripts/get-compose.sh) || cannot "no docker compose can be had here"
read -ra compose <<<"$compose_bin"
docker image inspect nats:2.10-alpine >/dev/null 2>&1 || docker pull --quiet nats:2.10-alpine >/dev/null 2>&1 ||
  cannot "the image nats:2.10-alpine is not here and cannot be pulled"
[ -n "${TOKENSTORM_IMAGE:-}" ] || ./scripts/image.sh >&2 || cannot "the image of tokenstorm cannot be built"

report=${1:-}
scratch=$(mktemp -d)
project=tokenstorm-demo-$$
random() { printf 'p%s' "$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')"; }
export COMPOSE_PROJECT_NAME=$project TOKENSTORM_TIME_SCALE=0.6 TOKENSTORM_DATA_PARALLEL_SIZE=4
export TOKENSTORM_NATS_ADDRESS=127.0.0.1:0 TOKENSTORM_HTTP_ADDRESS=127.0.0.1:0 # ports chosen by the engine
for name in COORDINATOR_PASSWORD AGENT_PASSWORD OPERATOR_PASSWORD VIEWER_PASSWORD HTTP_TOKEN; do
  export "TOKENSTORM_$name=$(random)"
done

# An engine that may not raise its own limit of descriptors cannot give more than that: 1,000 users need no more here.
if ! docker run --rm --network none --ulimit nofile=65536:65536 --entrypoint true nats:2.10-alpine >/dev/null 2>&1; then
  TOKENSTORM_NOFILE=$(docker run --rm --network none --entrypoint sh nats:2.10-alpine -c 'ulimit -Hn')
  export TOKENSTORM_NOFILE
  say "this engine gives a container at most $TOKENSTORM_NOFILE descriptors"
fi

c() { "${compose[@]}" --file docker/compose.yaml --profile simulator --profile operator --profile viewer "$@"; }
operator() { "${compose[@]}" --file docker/compose.yaml run --rm -T operator "$@"; }

left() {
  local kind
  for kind in container network volume; do
    docker "$kind" ls --quiet $([ $kind != container ] || printf -- --all) --filter "label=com.docker.compose.project=$project"
  done
}

finish() {
  local status=$?
  trap - EXIT
  [ $status -eq 0 ] || c logs --no-color --tail 6 >&2 2>&1 || true
  c down --volumes --remove-orphans --timeout 20 >"$scratch/down" 2>&1 || { cat "$scratch/down" >&2; status=1; }
  if [ -n "$(left)" ]; then say "error: something of $project is left behind: $(left | tr '\n' ' ')"; status=1; fi
  rm -rf "$scratch"
  exit $status
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

say "bringing up eight agents with ${compose_bin##*/} $("${compose[@]}" version --short 2>/dev/null | head -n 1)"
"${compose[@]}" --file docker/compose.yaml --profile simulator up --detach --scale agent=$agents >"$scratch/up" 2>&1 ||
  { cat "$scratch/up" >&2; exit 1; }

# Ready when a coordinator leads and hears every agent.
deadline=$((SECONDS + ready_limit_s))
until operator agents --json >"$scratch/agents.json" 2>"$scratch/agents.log" &&
  [ "$(node scripts/check-compose.mjs --count-agents "$scratch/agents.json")" = $agents ]; do
  [ $SECONDS -lt $deadline ] || { say "error: the agents were not there within $ready_limit_s s"; cat "$scratch"/agents.* >&2; exit 1; }
done

# On a machine that is busy with something else, an agent can be silent for longer than its leader waits: then it is done
# again, at most twice, and said. 110: the run says of itself that its client did not get its CPU; its figures must hold.
submit() {
  timeout --foreground $run_limit_s "${compose[@]}" --file docker/compose.yaml run --rm -T operator \
    submit - --wait --json --ui none <plans/compose-demo.yaml >"$scratch/report.json" 2>"$scratch/submit.log"
}
for attempt in 1 2 3; do
  status=0
  submit || status=$?
  case $status in 0 | 110) break ;; esac
  say "NOTE: attempt $attempt ended with $status: $(grep -m 1 '^error:' "$scratch/submit.log" || tail -n 1 "$scratch/submit.log")"
  [ "$attempt" -lt 3 ] && grep -q 'was lost: silent' "$scratch/submit.log" || exit 1
done
[ -z "$report" ] || cp "$scratch/report.json" "$report"
node scripts/check-compose.mjs "$scratch/report.json"
node scripts/check-compose.mjs --http "http://$("${compose[@]}" --file docker/compose.yaml port coordinator 7373)"
