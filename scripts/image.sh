#!/usr/bin/env bash
# Bundles the command and builds the image tokenstorm:<version> of it: image.sh [TAG]. Needs a docker engine, and
# node:24-bookworm-slim there or a registry to pull it from.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
case "${1:-}" in -h | --help) sed -n '2,3p' "${BASH_SOURCE[0]}" | sed 's/^# \{0,1\}//'; exit 0 ;; esac

version=$(node -p 'require("./package.json").version')
tag=${1:-tokenstorm:$version}
command -v docker >/dev/null || { echo "error: building the image needs docker, and there is none in PATH" >&2; exit 1; }
./scripts/bundle.sh
docker build --quiet --file docker/Dockerfile --build-arg "VERSION=$version" --tag "$tag" . >/dev/null
echo "$tag"
