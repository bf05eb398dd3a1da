# Sourced by .ci/run: a docker engine for the container tests, and the base images they start from. Only CI installs
# on its host; scripts/test.sh takes an engine that is there, or says that there is none.

ENGINE_PID='' ENGINE_LOG=''
engine_images=(node:24-bookworm-slim nats:2.10-alpine)

engine_answers() { command -v docker >/dev/null && timeout 10 docker version --format '{{.Server.Version}}' >/dev/null 2>&1; }

engine_refuse() { printf 'error: no docker engine for the container tests: %s\n' "$*" >&2; return 1; }

# Starts an engine unless one answers. Says why it cannot.
engine_up() {
  engine_answers && return 0
  [ "$(id -u)" = 0 ] || engine_refuse "none answers, and only root may start one" || return 1
  ENGINE_LOG=$(mktemp "${TMPDIR:-/tmp}/dockerd.XXXXXX.log")
  engine_install || return 1
  engine_answers && return 0 # the package's own service has started it
  # In a session of its own, so that Ctrl-C does not reach it before the containers are gone.
  setsid dockerd >>"$ENGINE_LOG" 2>&1 </dev/null &
  ENGINE_PID=$!
  local looks_after_its_end=0
  for _ in $(seq 300); do
    engine_answers && return 0
    # A service that the package started may be on its way up: then ours ends, and that one will answer.
    kill -0 "$ENGINE_PID" 2>/dev/null || looks_after_its_end=$((looks_after_its_end + 1))
    [ $looks_after_its_end -lt 50 ] || break
    sleep 0.1
  done
  engine_refuse "dockerd did not come up: $(grep -E 'failed to start|level=(fatal|error)|^failed' "$ENGINE_LOG" | tail -n 1 | cut -c 1-300)"
}

# iptables too: an engine without it has no networks. A machine may have the client alone.
engine_install() {
  export PATH=$PATH:/usr/sbin:/sbin
  command -v dockerd >/dev/null && command -v iptables >/dev/null && return 0
  command -v apt-get >/dev/null || engine_refuse "no dockerd here, and no apt-get to install it" || return 1
  echo "installing docker.io and iptables" >&2
  engine_apt install || { engine_apt update && engine_apt install; } ||
    engine_refuse "apt-get install docker.io failed: $(tail -n 1 "$ENGINE_LOG")"
}

engine_apt() { # update | install
  local words=(update -q)
  [ "$1" = update ] || words=(install -y -q --no-install-recommends docker.io iptables)
  DEBIAN_FRONTEND=noninteractive timeout 180 apt-get "${words[@]}" >>"$ENGINE_LOG" 2>&1 </dev/null
}

# Pulls the base images; where no registry answers, the script that TOKENSTORM_BASE_IMAGES_SCRIPT names may make them.
engine_base_images() {
  local image missing=() maker=${TOKENSTORM_BASE_IMAGES_SCRIPT:-}
  for image in "${engine_images[@]}"; do
    docker image inspect "$image" >/dev/null 2>&1 || timeout 60 docker pull --quiet "$image" >/dev/null 2>&1 || missing+=("$image")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  [ -n "$maker" ] && [ -x "$maker" ] || {
    printf 'error: these images cannot be pulled, and TOKENSTORM_BASE_IMAGES_SCRIPT names no script that makes them: %s\n' "${missing[*]}" >&2
    return 1
  }
  timeout 180 "$maker" "${missing[@]}" </dev/null
}

# Ends what engine_up started, after the containers that tests may have left in it.
engine_down() {
  ./scripts/remove-test-containers.sh
  if [ -n "$ENGINE_PID" ]; then
    kill "$ENGINE_PID" 2>/dev/null
    wait "$ENGINE_PID" 2>/dev/null
    ENGINE_PID=''
  fi
  [ -z "$ENGINE_LOG" ] || rm -f "$ENGINE_LOG"
  return 0
}
