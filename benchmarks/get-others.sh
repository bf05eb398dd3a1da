#!/usr/bin/env bash
# Gets what the benchmarks compare with into .cache: aiohttp in a virtual environment, autocannon in a folder of its own.
# wrk comes with the system's packages. Whatever is missing is skipped by the benchmarks, with the reason.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

AIOHTTP=3.14.5
AUTOCANNON=8.0.0

mkdir -p .cache/bench
[ -x .cache/bench/aiohttp/bin/python ] || python3 -m venv .cache/bench/aiohttp
.cache/bench/aiohttp/bin/pip install --quiet "aiohttp==$AIOHTTP"
npm install --silent --no-save --prefix .cache/bench/autocannon "autocannon@$AUTOCANNON"
command -v wrk >/dev/null || echo "wrk is not installed; where it is packaged: apt-get install wrk" >&2
