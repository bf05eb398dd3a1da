#!/usr/bin/env bash
# Makes test/golden/hlog anew: a log of ours, and what other readers of the format find in it, scripts/golden-hlog.sh [PYTHON]. Wants a
# build; Java and Maven for HdrHistogram's own reader, a Python with hdrhistogram for the other. What is not there is skipped and its file
# stays as it is; with neither, nothing is compared and the script fails.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
folder=$PWD/test/golden/hlog
cache=$PWD/.cache/golden-hdr
python=${1:-python3}
java_version=2.2.2
limit_s=300 # of the fetch
mkdir -p "$cache"

say() { printf '%s\n' "$*" >&2; }
has() { command -v "$1" >/dev/null 2>&1; }
made=0

node scripts/golden-hlog.mjs "$folder"

if has java && has javac && has mvn; then
  jar=$cache/HdrHistogram-$java_version.jar
  [ -f "$jar" ] || timeout "$limit_s" mvn -q -B dependency:copy -DoutputDirectory="$cache" \
    -Dartifact="org.hdrhistogram:HdrHistogram:$java_version"
  javac -d "$cache" -cp "$jar" "$folder/java/GoldenHlog.java"
  java -cp "$cache:$jar" GoldenHlog "$folder/ours.hlog" >"$cache/java-hlog.tsv"
  mv "$cache/java-hlog.tsv" "$folder/java.tsv"
  say "made java.tsv with HdrHistogram $java_version"
  made=1
else
  say "SKIPPED: no Java or no Maven here, java.tsv stays as it is"
fi

if "$python" -c "import hdrh" 2>/dev/null; then
  "$python" "$folder/golden_hlog.py" "$folder/ours.hlog" >"$cache/python-hlog.tsv"
  mv "$cache/python-hlog.tsv" "$folder/python.tsv"
  say "made python.tsv with hdrhistogram $("$python" -c 'import importlib.metadata as m; print(m.version("hdrhistogram"))')"
  made=1
else
  say "SKIPPED: $python has no hdrhistogram (pip install hdrhistogram), python.tsv stays as it is"
fi

[ "$made" = 1 ] || { say "error: no other reader is here, nothing was compared"; exit 1; }
