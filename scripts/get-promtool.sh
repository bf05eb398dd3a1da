#!/usr/bin/env bash
# Prints the path of a usable promtool on stdout; talk goes to stderr. In this order: PROMTOOL_BIN, PATH, an earlier
# download in .cache/promtool, Debian's package. It is unpacked into the project's cache: nothing is installed, no service
# starts. NO_INSTALL=1: only what is there. May be run again, and several times at once. Exits 1 with one line when none
# can be had.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/debian-package.sh
cache=$PWD/.cache/promtool
limit_s=180 # of each fetch: the package has 50 MB

say() { printf '%s\n' "$*" >&2; }
work=
cleanup() { [ -z "$work" ] || rm -rf "$work"; }
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

usable() { [ -f "$1" ] && [ -x "$1" ] && "$1" --version >/dev/null 2>&1 </dev/null; }
found() { printf '%s\n' "$1"; exit 0; }

if [ -n "${PROMTOOL_BIN:-}" ]; then
  if usable "$PROMTOOL_BIN"; then found "$PROMTOOL_BIN"; fi
  say "error: PROMTOOL_BIN=$PROMTOOL_BIN is no promtool that runs here"
  exit 1
fi
in_path=$(type -P promtool || true)
if [ -n "$in_path" ] && usable "$in_path"; then found "$in_path"; fi
if usable "$cache/promtool"; then found "$cache/promtool"; fi

if [ "${NO_INSTALL:-0}" = 1 ]; then
  say "error: no promtool is here, and NO_INSTALL=1 forbids to fetch it; set PROMTOOL_BIN to one"
  exit 1
fi
mkdir -p "$cache"
# What a killed run left behind.
find "$cache" -maxdepth 1 -name '.tmp.*' -mmin +60 -exec rm -rf {} + 2>/dev/null || true
work=$(mktemp -d "$cache/.tmp.XXXXXX")
say "unpacking promtool of Debian's package prometheus into .cache/promtool"
if debian_unpack prometheus own "$work" $limit_s && usable "$work/root/usr/bin/promtool" &&
  mv -f "$work/root/usr/bin/promtool" "$cache/promtool"; then
  found "$cache/promtool"
fi
say "error: no promtool can be had here; install prometheus, or set PROMTOOL_BIN to one"
exit 1
