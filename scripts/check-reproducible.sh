#!/usr/bin/env bash
# Proves that a commit has one outcome: bundles it in two clones in folders of different depth, one with this checkout's
# packages and one with packages of its own, and compares the bytes. What is not committed is not looked at.
# NO_INSTALL=1: both clones take the checkout's packages.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
commit=$(git rev-parse HEAD)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
one=$scratch/one other=$scratch/a/folder/with-a-longer-name/other

for clone in "$one" "$other"; do
  git clone --quiet --no-checkout "$PWD" "$clone"
  git -C "$clone" checkout --quiet --detach "$commit"
done
# take_packages CLONE: spares it the installation, where this checkout's packages are those of its lock file.
take_packages() {
  [ "$(cat node_modules/.installed-from 2>/dev/null)" = "$(cksum <"$1/package-lock.json")" ] || return 0
  cp -a node_modules "$1/node_modules"
}
take_packages "$one"
[ "${NO_INSTALL:-0}" != 1 ] || take_packages "$other"
"$one/scripts/bundle.sh" 2>"$scratch/log" || { cat "$scratch/log" >&2; exit 1; }
(cd / && TZ=Pacific/Auckland LC_ALL=C "$other/scripts/bundle.sh" "$scratch/other.mjs" 2>"$scratch/log") || { cat "$scratch/log" >&2; exit 1; }
cmp "$one/dist/tokenstorm.mjs" "$scratch/other.mjs" || { echo "error: commit $commit does not always give the same bytes" >&2; exit 1; }
echo "ok   two clones of $commit give one file: $(sha256sum <"$scratch/other.mjs" | cut -d' ' -f1)"
