#!/usr/bin/env bash
# Installs, builds and runs the main job on this machine: simulator, nats-server with JetStream, coordinator,
# four agent processes, a ladder of 1, 100, 500 and 1,000 users, live view and report.
#   ./scripts/demo.sh [--quick] [--json] [--truth FILE]
# --quick: under 60 s after the build. --json: the report alone on stdout. --truth: keep the simulator's truth log.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/setup.sh

for word in "$@"; do
  case "$word" in -h | --help) sed -n '2,5p' "${BASH_SOURCE[0]}" | sed 's/^# \{0,1\}//'; exit 0 ;; esac
done

require_node
install_packages
build_packages
find_nats_server || say "no nats-server can be had here: the demo runs one agent in the same process instead"
exec node scripts/demo.mjs "$@"
