#!/usr/bin/env bash
# Prints the path of a usable nats-server on stdout: get-nats-server.sh [2.9|2.10|...]. Talk goes to stderr.
# In this order: NATS_SERVER_BIN, PATH, an earlier download in .cache/nats-server, the official release, Debian's
# package. Whatever is fetched is unpacked into the project's cache: nothing is installed, no service starts.
# Any version from 2.9 on will do, unless one line (2.9, 2.10) is asked for. NO_INSTALL=1: only what is there.
# May be run again, and several times at once. Exits 1 with one line when none can be had.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/debian-package.sh
line=${1:-}
cache=$PWD/.cache/nats-server
limit_s=60 # of each attempt

# The release and its checksums, as the NATS project's own container recipe pins them
# (nats-io/nats-docker, 2.10.x/alpine3.22/Dockerfile, commit ef05cf93). Change both together.
release=2.10.29
sha256_amd64=e314da74a83a1d3876db8814c27eb990fe729640fd6452025b441bcede8390da
sha256_arm64=da4b27942ecfb4c5f0c54553d2e7f470ddda9d7581cfe8131b351a0e223ed401

say() { printf '%s\n' "$*" >&2; }
work=
cleanup() { [ -z "$work" ] || rm -rf "$work"; }
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

version_of() { "$1" --version 2>/dev/null </dev/null | grep -oE '[0-9]+\.[0-9]+\.[0-9]+' | head -n 1; }

# usable BIN: it runs, is 2.9 or newer, and of the line asked for.
usable() {
  local version major minor
  [ -f "$1" ] && [ -x "$1" ] && version=$(version_of "$1") && [ -n "$version" ] || return 1
  IFS=. read -r major minor _ <<<"$version"
  [ "$major" -gt 2 ] || { [ "$major" -eq 2 ] && [ "$minor" -ge 9 ]; } || return 1
  [ -z "$line" ] || [ "$line" = "$major.$minor" ]
}

found() { printf '%s\n' "$1"; exit 0; }

cached() {
  local bin
  while read -r bin; do
    if usable "$bin"; then printf '%s\n' "$bin"; return 0; fi
  done < <(find "$cache" -mindepth 2 -maxdepth 2 -name nats-server -not -path '*/.tmp.*' 2>/dev/null | sort -rV)
  return 1
}

# keep FILE: moves a server that was fetched to its place in the cache, in one step, and prints that place.
keep() {
  local version place
  chmod 755 "$1"
  usable "$1" || return 1
  version=$(version_of "$1")
  place=$cache/$version/nats-server
  mkdir -p "$cache/$version" && mv -f "$1" "$place" || return 1
  printf '%s\n' "$place"
}

fetch() { # URL FILE
  if command -v curl >/dev/null; then
    curl --fail --silent --location --proto '=https' --connect-timeout 10 --max-time $limit_s --output "$2" "$1" 2>/dev/null
  elif command -v wget >/dev/null; then
    timeout --foreground --kill-after=5 $limit_s wget --quiet --https-only --tries=1 --timeout=10 --output-document="$2" "$1" 2>/dev/null
  else
    return 1
  fi
}

official_release() {
  local arch sum name
  case "$(uname -s)-$(uname -m)" in
    Linux-x86_64) arch=amd64 sum=$sha256_amd64 ;;
    Linux-aarch64) arch=arm64 sum=$sha256_arm64 ;;
    *) return 1 ;;
  esac
  [ -z "$line" ] || [ "$line" = "${release%.*}" ] || return 1
  name=nats-server-v$release-linux-$arch
  say "fetching nats-server $release into .cache/nats-server"
  fetch "https://github.com/nats-io/nats-server/releases/download/v$release/$name.tar.gz" "$work/release.tar.gz" ||
    { say "the official release cannot be fetched from here"; return 1; }
  printf '%s  %s\n' "$sum" "$work/release.tar.gz" | sha256sum --check --status ||
    { say "the release's SHA-256 is not the one expected: it is not used"; return 1; }
  tar -xzf "$work/release.tar.gz" -C "$work" "$name/nats-server" && keep "$work/$name/nats-server"
}

# debian_package SUITE: `own`, or a suite's name; see debian-package.sh.
debian_package() {
  local suite=$1 folder=$work/$1
  say "unpacking Debian's nats-server ($suite suite) into .cache/nats-server"
  debian_unpack nats-server "$suite" "$folder" $limit_s && keep "$folder/root/usr/sbin/nats-server"
}

if [ -n "${NATS_SERVER_BIN:-}" ]; then
  if usable "$NATS_SERVER_BIN"; then found "$NATS_SERVER_BIN"; fi
  say "error: NATS_SERVER_BIN=$NATS_SERVER_BIN is no nats-server ${line:-2.9 or newer} that runs here"
  exit 1
fi
in_path=$(PATH=$PATH:/usr/local/sbin:/usr/sbin type -P nats-server || true)
if [ -n "$in_path" ]; then
  if usable "$in_path"; then found "$in_path"; fi
  say "$in_path is no nats-server ${line:-2.9 or newer} that runs here; looking further"
fi
if bin=$(cached); then found "$bin"; fi

if [ "${NO_INSTALL:-0}" = 1 ]; then
  say "error: no nats-server ${line:-2.9 or newer} is here, and NO_INSTALL=1 forbids to fetch one; set NATS_SERVER_BIN to one"
  exit 1
fi
mkdir -p "$cache"
# What a killed run left behind.
find "$cache" -maxdepth 1 -name '.tmp.*' -mmin +60 -exec rm -rf {} + 2>/dev/null || true
work=$(mktemp -d "$cache/.tmp.XXXXXX")
if bin=$(official_release); then found "$bin"; fi
# Debian 12 has 2.9; the package of Debian 13 runs there too.
if [ "$line" != 2.9 ] && bin=$(debian_package trixie); then found "$bin"; fi
if bin=$(debian_package own); then found "$bin"; fi
say "error: no nats-server ${line:-2.9 or newer} can be had here; install one, or set NATS_SERVER_BIN to one"
exit 1
