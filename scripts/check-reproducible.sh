#!/usr/bin/env bash
# Proves that a commit has one outcome: bundles it in two clones in folders of different depth, with packages that were
# installed apart, and compares the bytes. What is not committed is not looked at. NO_INSTALL=1: both clones take
# the checkout's packages.
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
if [ "${NO_INSTALL:-0}" = 1 ]; then
  for clone in "$one" "$other"; do
    cp -a node_modules "$clone/node_modules"
    # Whatever this checkout's lock file says by now: they are the packages that there are.
    cksum <"$clone/package-lock.json" >"$clone/node_modules/.installed-from"
  done
fi
"$one/scripts/bundle.sh" 2>"$scratch/log" || { cat "$scratch/log" >&2; exit 1; }
(cd / && TZ=Pacific/Auckland LC_ALL=C "$other/scripts/bundle.sh" "$scratch/other.mjs" 2>"$scratch/log") || { cat "$scratch/log" >&2; exit 1; }
cmp "$one/dist/tokenstorm.mjs" "$scratch/other.mjs" || { echo "error: commit $commit does not always give the same bytes" >&2; exit 1; }
echo "ok   two clones of $commit give one file: $(sha256sum <"$scratch/other.mjs" | cut -d' ' -f1)"
