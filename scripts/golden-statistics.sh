#!/usr/bin/env bash
# Makes test/golden/statistics/golden.json anew with SciPy and statsmodels, from a Python that has them: scripts/golden-statistics.sh
# [PYTHON]. Without them it says so and the file stays as it is. The same figures come out every time.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
python=${1:-python3}
file=test/golden/statistics/golden.json

if ! "$python" -c "import scipy, statsmodels" 2>/dev/null; then
  printf 'SKIPPED: %s has no scipy and statsmodels (pip install scipy statsmodels): %s was NOT made anew\n' "$python" "$file" >&2
  exit 0
fi
"$python" test/golden/statistics/golden.py >"$file.new"
mv "$file.new" "$file"
printf 'made %s\n' "$file" >&2
