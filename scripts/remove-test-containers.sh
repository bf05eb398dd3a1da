#!/usr/bin/env bash
# Removes what tests that were killed have left in the docker engine: containers, networks and images whose label or tag
# names a process that lives no more. Those of a test under way, and everything else, stay. Without an engine: nothing.
set -uo pipefail
label=tokenstorm.test

command -v docker >/dev/null && timeout 10 docker version >/dev/null 2>&1 || exit 0

# orphans COMMAND...: of its lines "<id> <process id>", the ids whose process is gone.
alive() { kill -0 "$1" 2>/dev/null || [ -d "/proc/$1" ]; }
orphans() { "$@" | while read -r id owner; do alive "$owner" || echo "$id"; done; }

orphans docker ps --all --filter "label=$label" --format "{{.ID}} {{.Label \"$label\"}}" | xargs -r docker rm --force --volumes >/dev/null
orphans docker network ls --filter "label=$label" --format "{{.ID}} {{.Label \"$label\"}}" | xargs -r docker network rm >/dev/null
orphans docker images tokenstorm-test --format '{{.Repository}}:{{.Tag}} {{.Tag}}' | xargs -r docker rmi >/dev/null
