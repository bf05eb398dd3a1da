#!/usr/bin/env bash
# Makes the whole command one file that needs nothing but node: bundle.sh [OUT], by default dist/tokenstorm.mjs.
# The same commit gives the same bytes, wherever the checkout lies (scripts/check-reproducible.sh holds it to that).
set -euo pipefail
here=$PWD
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/setup.sh

case "${1:-}" in
  -h | --help) sed -n '2,3p' "${BASH_SOURCE[0]}" | sed 's/^# \{0,1\}//'; exit 0 ;;
  "") out=$PWD/dist/tokenstorm.mjs ;;
  /*) out=$1 ;;
  *) out=$here/$1 ;;
esac
require_node
install_packages
build_packages
exec node scripts/bundle.mjs "$out"
