#!/usr/bin/env bash
# Makes test/golden/hdr anew: our payloads as other implementations of HDR histograms read them, and theirs of the same
# values. Wants a build; Java and Maven for one implementation, Go for the other. What is not there is skipped and its file
# stays as it is; with neither, nothing is compared and the script fails. Fetches two libraries, into .cache and Go's own.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
folder=$PWD/test/golden/hdr
cache=$PWD/.cache/golden-hdr
java_version=2.2.2
limit_s=300 # of each fetch
mkdir -p "$cache"

say() { printf '%s\n' "$*" >&2; }
has() { command -v "$1" >/dev/null 2>&1; }
made=0

node scripts/golden-hdr.mjs "$folder"

if has java && has javac && has mvn; then
  jar=$cache/HdrHistogram-$java_version.jar
  [ -f "$jar" ] || timeout "$limit_s" mvn -q -B dependency:copy -DoutputDirectory="$cache" \
    -Dartifact="org.hdrhistogram:HdrHistogram:$java_version"
  javac -d "$cache" -cp "$jar" "$folder/java/GoldenHdr.java"
  java -cp "$cache:$jar" GoldenHdr "$folder/recorded.tsv" "$folder/ours.tsv" >"$cache/java.tsv"
  mv "$cache/java.tsv" "$folder/java.tsv"
  say "made java.tsv with HdrHistogram $java_version"
  made=1
else
  say "no Java or no Maven here: java.tsv stays as it is"
fi

if has go; then
  (cd "$folder/go" && timeout "$limit_s" go run . "$folder/recorded.tsv" "$folder/ours.tsv") >"$cache/go.tsv"
  mv "$cache/go.tsv" "$folder/go.tsv"
  say "made go.tsv with $(grep -o 'hdrhistogram-go v[0-9.]*' "$folder/go/go.mod")"
  made=1
else
  say "no Go here: go.tsv stays as it is"
fi

[ "$made" = 1 ] || { say "error: neither Java nor Go is here, nothing was compared"; exit 1; }
