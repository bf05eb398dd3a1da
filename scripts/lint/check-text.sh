#!/usr/bin/env bash
# What no linter looks for: addresses of package registries in the lock file, and shell scripts that do not parse.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
status=0
if grep -nE '"resolved": "https?:' package-lock.json | head -3; then
  echo "error: package-lock.json names a registry's host; install with omit-lockfile-registry-resolved" >&2
  status=1
fi
while read -r script; do
  bash -n "$script" || status=1
done < <(git ls-files '*.sh' .ci/run)
exit $status
