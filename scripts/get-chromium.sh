#!/usr/bin/env bash
# Prints the path of a Chromium that draws without a screen; talk goes to stderr. In this order: CHROMIUM_BIN, PATH, an
# earlier download in .cache/chromium, Debian's package chromium-headless-shell with the libraries that the system lacks and a
# font. All is unpacked into the project's cache: nothing is installed, no root is needed. NO_INSTALL=1: only what is there.
# May be run again, and several times at once. Exits 1 with one line when none can be had.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/debian-package.sh
cache=$PWD/.cache/chromium
limit_s=300 # of each fetch: the package and its libraries have 150 MB

say() { printf '%s\n' "$*" >&2; }
work=
cleanup() { [ -z "$work" ] || rm -rf "$work"; }
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

usable() {
  [ -f "$1" ] && [ -x "$1" ] &&
    timeout 60 "$1" --headless --no-sandbox --disable-gpu --dump-dom 'data:text/html,<p>drawn</p>' 2>/dev/null </dev/null | grep -q drawn
}
found() { printf '%s\n' "$1"; exit 0; }

# start_script ROOT: what runs the unpacked Chromium with the libraries and fonts that were unpacked beside it.
start_script() {
  cat <<'END'
#!/usr/bin/env bash
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
libraries=$(find "$here/root" -name '*.so*' -printf '%h\n' | sort -u | tr '\n' ':')
export LD_LIBRARY_PATH="$libraries${LD_LIBRARY_PATH:-}" FONTCONFIG_FILE="$here/fonts.conf"
exec "$here/root/usr/lib/chromium/chromium-headless-shell" "$@"
END
}

fonts_conf() {
  printf '<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd"><fontconfig><dir>%s</dir><dir>/usr/share/fonts</dir><cachedir>%s</cachedir></fontconfig>\n' \
    "$cache/root/usr/share/fonts" "$cache/fonts-cache"
}

debian_chromium() {
  local folder=$work package
  # Its lists, and the package itself; what it needs beside that the system has not is fetched after it.
  debian_unpack chromium-headless-shell own "$folder" "$limit_s" || return 1
  debian_apt -o Debug::NoLocking=1 --no-install-recommends --download-only --yes install chromium-headless-shell fonts-dejavu-core ||
    { say "the libraries of chromium-headless-shell cannot be fetched from here"; return 1; }
  for package in "$folder"/cache/archives/*.deb; do dpkg -x "$package" "$folder/root"; done
  rm -rf "$cache/root" && mkdir -p "$cache" && mv "$folder/root" "$cache/root" || return 1
  fonts_conf >"$cache/fonts.conf"
  start_script >"$cache/chromium"
  chmod 755 "$cache/chromium"
  usable "$cache/chromium"
}

if [ -n "${CHROMIUM_BIN:-}" ]; then
  if usable "$CHROMIUM_BIN"; then found "$CHROMIUM_BIN"; fi
  say "error: CHROMIUM_BIN=$CHROMIUM_BIN is no Chromium that runs here"
  exit 1
fi
for name in chromium-headless-shell chromium chromium-browser google-chrome-stable google-chrome; do
  in_path=$(type -P "$name" || true)
  if [ -n "$in_path" ] && usable "$in_path"; then found "$in_path"; fi
done
if usable "$cache/chromium"; then found "$cache/chromium"; fi

if [ "${NO_INSTALL:-0}" = 1 ]; then
  say "error: no Chromium is here, and NO_INSTALL=1 forbids to fetch it; set CHROMIUM_BIN to one"
  exit 1
fi
mkdir -p "$cache"
# What a killed run left behind.
find "$cache" -maxdepth 1 -name '.tmp.*' -mmin +60 -exec rm -rf {} + 2>/dev/null || true
work=$(mktemp -d "$cache/.tmp.XXXXXX")
say "unpacking Debian's chromium-headless-shell into .cache/chromium"
if debian_chromium; then found "$cache/chromium"; fi
say "error: no Chromium can be had here; install chromium, or set CHROMIUM_BIN to one"
exit 1
