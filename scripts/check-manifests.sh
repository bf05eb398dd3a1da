#!/usr/bin/env bash
# Validates docker/kubernetes.yaml, and what `coordinator --listen` prints for kubectl (which needs a build), strictly,
# against the schemas of two Kubernetes versions, and then what no schema sees (scripts/check-manifests.py). The schemas come with the Python package kubernetes-validate, in a venv of its own in .cache.
# Exits 3 with one line SKIPPED where they cannot be had; with CI=true that is a failure. NO_INSTALL=1 forbids the fetch.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
release=1.36.0 # carries the schemas of 1.25 to 1.36
versions=(1.30 1.36)
venv=$PWD/.cache/kubernetes-validate-$release

cannot() {
  [ "${CI:-}" != true ] || { printf 'error: %s, and CI=true wants it\n' "$1" >&2; exit 1; }
  printf 'SKIPPED: the Kubernetes manifests were not validated: %s\n' "$1"
  exit 3
}

work=$(mktemp -d)
trap 'rm -rf "$work" "$venv.new.$$"' EXIT

if ! [ -x "$venv/bin/kubernetes-validate" ]; then
  [ "${NO_INSTALL:-0}" != 1 ] || cannot "kubernetes-validate is not in .cache, and NO_INSTALL=1 forbids to fetch it"
  command -v python3 >/dev/null || cannot "no python3 is in PATH"
  echo "fetching kubernetes-validate $release into .cache" >&2
  { python3 -m venv "$venv.new.$$" &&
    timeout 120 "$venv.new.$$/bin/python" -m pip install --quiet --disable-pip-version-check "kubernetes-validate==$release"; } >"$work/log" 2>&1 ||
    cannot "kubernetes-validate cannot be fetched ($(tail -n 1 "$work/log"))"
  # Scripts in a venv name its folder: so it is made anew in its place, now that pip has the files at hand.
  mkdir -p "${venv%/*}" && rm -rf "$venv" && mv "$venv.new.$$" "$venv"
  sed -i "1s|.*|#!$venv/bin/python|" "$venv/bin/kubernetes-validate"
fi

node scripts/printed-manifest.mjs plain >"$work/printed.yaml"
node scripts/printed-manifest.mjs tls >"$work/printed-tls.yaml"
for file in docker/kubernetes.yaml "$work/printed.yaml" "$work/printed-tls.yaml"; do
  for version in "${versions[@]}"; do
    "$venv/bin/python" -m kubernetes_validate --strict --quiet -k "$version" "$file"
    echo "${file##*/} is valid for Kubernetes $version"
  done
  "$venv/bin/python" scripts/check-manifests.py "$file"
done
