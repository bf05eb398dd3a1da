#!/usr/bin/env bash
# Prints the command of a usable docker compose on stdout, one of `docker compose`, `docker-compose` or a path; talk goes
# to stderr. In this order: COMPOSE_BIN, the plugin of docker, docker-compose in PATH (1.29 or newer), an earlier download
# in .cache/compose, Debian's package of 2.x, unpacked there and not installed. NO_INSTALL=1: only what is here already.
# Exits 1 with one line when none can be had.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/debian-package.sh
cache=$PWD/.cache/compose
limit_s=90 # of each attempt

say() { printf '%s\n' "$*" >&2; }
work=
cleanup() { [ -z "$work" ] || rm -rf "$work"; }
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# usable COMMAND...: it runs, and is 1.29 or newer.
usable() {
  local version major minor
  version=$("$@" version --short 2>/dev/null </dev/null | grep -oE '[0-9]+\.[0-9]+\.[0-9]+' | head -n 1) && [ -n "$version" ] || return 1
  IFS=. read -r major minor _ <<<"$version"
  [ "$major" -ge 2 ] || { [ "$major" -eq 1 ] && [ "$minor" -ge 29 ]; }
}

found() { printf '%s\n' "$1"; exit 0; }

if [ -n "${COMPOSE_BIN:-}" ]; then
  if usable "$COMPOSE_BIN"; then found "$COMPOSE_BIN"; fi
  say "error: COMPOSE_BIN=$COMPOSE_BIN is no compose 1.29 or newer that runs here"
  exit 1
fi
if usable docker compose; then found 'docker compose'; fi
if usable docker-compose; then found docker-compose; fi
if usable "$cache/docker-compose"; then found "$cache/docker-compose"; fi
if [ "${NO_INSTALL:-0}" = 1 ]; then
  say "error: no docker compose is here, and NO_INSTALL=1 forbids to fetch one"
  exit 1
fi
mkdir -p "$cache"
work=$(mktemp -d "$cache/.tmp.XXXXXX")
# The package of Debian 13 is a single program, and runs on Debian 12 too, whose own is 1.29 in Python.
say "unpacking Debian's docker-compose (trixie suite) into .cache/compose"
if debian_unpack docker-compose trixie "$work/trixie" $limit_s; then
  for bin in "$work"/trixie/root/usr/libexec/docker/cli-plugins/docker-compose "$work"/trixie/root/usr/bin/docker-compose; do
    if [ -f "$bin" ] && usable "$bin"; then
      mv -f "$bin" "$cache/docker-compose"
      found "$cache/docker-compose"
    fi
  done
fi
say "error: no docker compose can be had here; install its plugin (docker-compose-plugin), or docker-compose 1.29"
exit 1
