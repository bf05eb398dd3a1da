#!/usr/bin/env bash
# Sees that every hand-made fault of test/mutations still fits the code that it changes: whoever moves its lines moves it
# along. Whether its test still sees it is asked by scripts/mutations.mjs, which takes minutes.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

status=0
for patch in test/mutations/*.patch; do
  git apply --check "$patch" 2>/dev/null && continue
  echo "error: $patch does not fit the code any more"
  status=1
done
exit $status
